"""Where bytes live: objects named by random keys, written by appending, read by range."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from mooring.errors import Foreign
from mooring.measuring import Observe

Watch = Callable[[bytes], object]
"""Called with each chunk in order as it is written, in a thread: a hasher's `update`."""


Reserve = Callable[[int, int], Awaitable[int]]
"""(how many, above): numbers greater than `above` that no other request gets; answers the first. Raises ObjectBusy
when another request was acknowledged meanwhile."""


class ObjectMissing(Exception):
    """The store has no object under this key."""


class OffsetMismatch(Exception):
    """An append did not start where the object ends. `size` is where it does."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the object ends at {size}")
        self.size = size


class ObjectBusy(Exception):
    """Another request is writing to this object right now."""


class Writer(Protocol):
    """Writes one object."""

    @property
    def state(self) -> str:
        """What the next writer has to be told. Keep it in the transaction that acknowledges an append."""
        ...

    @property
    def spent(self) -> Sequence[str]:
        """Objects that are of no use once the state, or the finished object, counts: delete them by their names."""
        ...

    def resume(self, state: str, reserve: Reserve) -> None:
        """Go on from what was acknowledged last. Called before the first append of every later request."""
        ...

    async def append(
        self, offset: int, chunks: AsyncIterable[bytes], watch: Watch, *, limit: int, last: bool = False
    ) -> int:
        """Write chunks at `offset`, cutting off what a broken request left beyond it; answer the new size.

        What is answered is durable. Raises OffsetMismatch when the object is shorter than `offset`, and TooLarge past
        `limit`; bytes taken before a failure may stay beyond the offset and are cut off by the next append.
        With `last`, `finish` follows at once: there is no need to keep the end such that more could come.
        """
        ...

    async def finish(self) -> str:
        """Make one object of what was appended; answers the key to read it by. May be called again."""
        ...


@dataclass(frozen=True)
class Begun:
    key: str
    """Of the upload."""
    name: str
    id: str
    """Both as the store knows them."""


class Store(Protocol):
    """All sizes and offsets are bytes. Every method raises StorageFull or Unavailable when the store can't do it."""

    def writing(self, key: str) -> AbstractAsyncContextManager[Writer]:
        """Write to an object, made if it does not exist, and readable once it is finished.

        A store either raises ObjectBusy while anybody else does, in any process; or lets each writer write aside from
        what is acknowledged, until the row says whose state counts. For the first kind: whoever decides by a row what
        may be written, and notes in that row what was, does both before he leaves. An append that a later one overtook
        would cut off what that one acknowledged.
        """
        ...

    async def size(self, key: str) -> int:
        """Raises ObjectMissing."""
        ...

    def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes]:
        """Raises ObjectMissing at the first step."""
        ...

    async def digest(self, key: str, size: int, watch: Watch) -> None:
        """Feed the first `size` bytes of an object to `watch`."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Deleting what is not there is no error."""
        ...

    async def begun(self) -> Sequence[Begun]:
        """What was begun and has not become an object: of uploads under way, and of requests that died.

        Lists it all: for background work, never for a request.
        """
        ...

    async def abandon(self, begun: Begun) -> None:
        """Throw that away. An object that it has become meanwhile stays."""
        ...

    async def address(self, key: str) -> str | None:
        """Where a client may fetch the object itself for some minutes, if the store is to be asked directly."""
        ...

    def prepare(self, cluster_id: str) -> None:
        """Make what the store needs, with the cluster's marker. Blocks. Raises a MooringError where it can't be."""
        ...

    def marker(self) -> str | None:
        """The id of the cluster that the store belongs to. Blocks."""
        ...

    def mark(self, cluster_id: str) -> None:
        """Make it this cluster's, whatever it was. Blocks."""
        ...

    def keys(self) -> Iterator[str]:
        """Every object's key. Walks over the whole store and blocks: for `mooring check`, never for a request."""
        ...

    async def disconnect(self) -> None:
        """Close the connections of the running event loop."""
        ...

    def close(self) -> None: ...

    def observed_by(self, observe: Observe) -> None:
        """Tell how long single operations took: of a file in a thread, or requests of a bucket."""
        ...

    async def check(self) -> None:
        """Raises Unavailable when the store can't be written to or is not the one that belongs to this cluster."""
        ...


def require_own(marker: str | None, cluster_id: str | None, place: str) -> None:
    """Raises Foreign when a store with this marker is not this cluster's."""
    if marker is None:
        raise Foreign(f"The store at {place} has no marker: it is not this registry's.")
    if marker != cluster_id:
        raise Foreign(f"The store at {place} belongs to another registry ({marker[:40]}).")


def new_key() -> str:
    return secrets.token_hex(16)
