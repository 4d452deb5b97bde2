"""What the registry does around a store: it keeps each upload's state, and reads finished objects by their own keys."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from mooring.measuring import Observe
from mooring.storage import Begun, ObjectBusy, Store, Writer
from mooring.storage.store import Reserve, Watch


class Rows:
    """The rows that all replicas share."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.reserved: dict[str, int] = {}

    def reserving(self, key: str, state: str) -> Reserve:
        async def reserve(number: int, above: int) -> int:
            if self.states.get(key, "") != state:
                raise ObjectBusy(key)
            first = max(self.reserved.get(key, 0), above) + 1
            self.reserved[key] = first + number - 1
            return first

        return reserve


class AcknowledgedWriter:
    def __init__(self, rows: Rows, key: str, writer: Writer) -> None:
        self._rows = rows
        self._key = key
        self._writer = writer

    @property
    def state(self) -> str:
        return self._writer.state

    @property
    def spent(self) -> list[str]:
        return list(self._writer.spent)

    def resume(self, state: str, reserve: Reserve) -> None:
        self._writer.resume(state, reserve)

    async def append(
        self, offset: int, chunks: AsyncIterable[bytes], watch: Watch, *, limit: int, last: bool = False
    ) -> int:
        size = await self._writer.append(offset, chunks, watch, limit=limit, last=last)
        self._rows.states[self._key] = self._writer.state
        return size

    async def finish(self) -> str:
        return await self._writer.finish()


class Acknowledged:
    """A store as the contract's tests use it: what was appended under a key is read under that key."""

    def __init__(self, store: Store, rows: Rows) -> None:
        self._store = store
        self._rows = rows

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[AcknowledgedWriter]:
        async with self._store.writing(key) as writer:
            state = self._rows.states.get(key, "")
            writer.resume(state, self._rows.reserving(key, state))
            yield AcknowledgedWriter(self._rows, key, writer)

    async def size(self, key: str) -> int:
        return await self._store.size(await self._finished(key))

    async def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes]:
        async for chunk in self._store.read(await self._finished(key), start, length):
            yield chunk

    async def digest(self, key: str, size: int, watch: Watch) -> None:
        await self._store.digest(await self._finished(key), size, watch)

    async def delete(self, keys: Sequence[str]) -> None:
        await self._store.delete(keys)

    async def begun(self) -> Sequence[Begun]:
        return await self._store.begun()

    async def abandon(self, begun: Begun) -> None:
        await self._store.abandon(begun)

    async def address(self, key: str) -> str | None:
        return await self._store.address(key)

    def prepare(self, cluster_id: str) -> None:
        self._store.prepare(cluster_id)

    def marker(self) -> str | None:
        return self._store.marker()

    def mark(self, cluster_id: str) -> None:
        self._store.mark(cluster_id)

    def keys(self) -> Iterator[str]:
        return self._store.keys()

    async def disconnect(self) -> None:
        await self._store.disconnect()

    def close(self) -> None:
        self._store.close()

    def observed_by(self, observe: Observe) -> None:
        self._store.observed_by(observe)

    async def check(self) -> None:
        await self._store.check()

    async def _finished(self, key: str) -> str:
        state = self._rows.states.get(key)
        if state is None:
            return key
        async with self._store.writing(key) as writer:
            writer.resume(state, self._rows.reserving(key, state))
            finished = await writer.finish()
            self._rows.states[key] = writer.state
            return finished
