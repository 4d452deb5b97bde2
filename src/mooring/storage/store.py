"""Where bytes live: objects named by random keys, written by appending, read by range."""

import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

Watch = Callable[[bytes], object]
"""Called with each chunk in order as it is written, in a thread: a hasher's `update`."""


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
    """The one writer that an object has at a time."""

    async def append(self, offset: int, chunks: AsyncIterable[bytes], watch: Watch, *, limit: int) -> int:
        """Write chunks at `offset`, cutting off what a broken request left beyond it; answer the new size.

        What is answered is durable. Raises OffsetMismatch when the object is shorter than `offset`, and TooLarge past
        `limit`; bytes taken before a failure may stay beyond the offset and are cut off by the next append.
        """
        ...


class Store(Protocol):
    """All sizes and offsets are bytes. Every method raises StorageFull or Unavailable when the store can't do it."""

    def writing(self, key: str) -> AbstractAsyncContextManager[Writer]:
        """Write to an object, made if it does not exist. Raises ObjectBusy while anybody else does, in any process.

        Whoever decides by a row what may be written, and notes in that row what was, does both before he leaves: an
        append that a later one overtook would cut off what that one acknowledged.
        """
        ...

    async def size(self, key: str) -> int:
        """Raises ObjectMissing."""
        ...

    def read(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """Raises ObjectMissing at the first step."""
        ...

    async def digest(self, key: str, size: int, watch: Watch) -> None:
        """Feed the first `size` bytes of an object to `watch`."""
        ...

    async def delete(self, key: str) -> None:
        """Deleting what is not there is no error."""
        ...

    def local_path(self, key: str) -> Path | None:
        """A file that the server may send by itself, where the store has files."""
        ...

    async def check(self) -> None:
        """Raises Unavailable when the store can't be written to or is not the one that belongs to this cluster."""
        ...


def new_key() -> str:
    return secrets.token_hex(16)
