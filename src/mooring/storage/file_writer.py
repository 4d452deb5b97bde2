"""Writes one file: received, hashed and written at once, synced before it is acknowledged."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterable, Callable, Sequence
from pathlib import Path
from typing import ParamSpec, Protocol, Self, TypeVar

from mooring.errors import StorageFull, TooLarge
from mooring.storage.files import begin_writeback, sync
from mooring.storage.store import ObjectBusy, OffsetMismatch, Reserve, Watch

WRITE_BYTES = 1024 * 1024
WRITEBACK_BYTES = 8 * 1024 * 1024
MOST_CHUNKS = 8
LEAST_WRITE = 64 * 1024
WRITE_ROOM = 8 * 1024 * 1024
"""Gathered at once by all writers together, where each gets more than the least. As much again is being written."""

P = ParamSpec("P")
T = TypeVar("T")


class Run(Protocol):
    async def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


class FileWriter:
    """A file held open and locked: the lock goes with the descriptor, so a killed process leaves none behind."""

    def __init__(self, descriptor: int, path: Path, run: Run, most: Callable[[], int]) -> None:
        """`most` bytes are gathered for one write."""
        self._most = most
        self._descriptor = descriptor
        self._path = path
        self._run = run

    state = ""
    spent: Sequence[str] = ()

    def resume(self, state: str, reserve: Reserve) -> None:
        """The file is all that there is to know."""

    async def finish(self) -> str:
        return self._path.name

    async def append(
        self, offset: int, chunks: AsyncIterable[bytes], watch: Watch, *, limit: int, last: bool = False
    ) -> int:
        size = os.fstat(self._descriptor).st_size
        if size < offset:
            raise OffsetMismatch(size)
        if size > offset:
            await self._run(os.ftruncate, self._descriptor, offset)
        try:
            position, left = await self._write_most(offset, chunks, watch, limit)
            end = position + sum(map(len, left))
            if end != offset or size != offset or offset == 0:
                await self._run(self._finish, position, left, watch, offset == 0)
        except StorageFull:
            # Whoever tries again would only find the disk as full as he left it.
            os.ftruncate(self._descriptor, offset)
            raise
        return end

    async def _write_most(
        self, position: int, chunks: AsyncIterable[bytes], watch: Watch, limit: int
    ) -> tuple[int, list[bytes]]:
        """Answers where the last chunks belong, and these, which are not written yet."""
        waiting: list[bytes] = []
        held = 0
        async with InOrder(self._run) as writes, InOrder(self._run) as hashes:
            async for chunk in chunks:
                if position + held + len(chunk) > limit:
                    raise TooLarge(f"A blob may have {limit} bytes at most.")
                waiting.append(chunk)
                held += len(chunk)
                if held >= self._most():
                    waiting = _few(waiting)
                    await writes.start(_write, self._descriptor, position, waiting)
                    await hashes.start(_watch, waiting, watch)
                    position, waiting, held = position + held, [], 0
        return position, waiting

    def _finish(self, position: int, left: list[bytes], watch: Watch, new: bool) -> None:
        left = _few(left)
        _write(self._descriptor, position, left)
        _watch(left, watch)
        os.fsync(self._descriptor)
        if new:
            sync(self._path.parent)


class InOrder:
    """One call after the other in threads, each under way while the next one's bytes are received."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._last: asyncio.Task[None] | None = None

    async def start(self, call: Callable[P, None], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Raises what the call before it did."""
        if self._last is not None:
            await self._last
        self._last = asyncio.ensure_future(self._run(call, *args, **kwargs))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._last is None:
            return
        if kind is None:
            await self._last
        else:
            # The descriptor is the thread's until it ends; what broke off the upload says more than the write's end.
            await asyncio.gather(self._last, return_exceptions=True)


def open_alone(path: Path, *, new: bool) -> int:
    """Raises ObjectBusy, and FileNotFoundError for a file that is not there and may not be `new`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if new else 0), 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ObjectBusy(path.name) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _write(descriptor: int, position: int, chunks: list[bytes]) -> None:
    began = position
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            written = os.pwrite(descriptor, view, position)
            position += written
            view = view[written:]
    if began // WRITEBACK_BYTES != position // WRITEBACK_BYTES:
        start = max(0, began // WRITEBACK_BYTES * WRITEBACK_BYTES)
        begin_writeback(descriptor, start, position - start)


def _watch(chunks: list[bytes], watch: Watch) -> None:
    for chunk in chunks:
        watch(chunk)


def _few(chunks: list[bytes]) -> list[bytes]:
    """Each call gives up Python's lock and has to get it back: for small pieces that costs more than a copy."""
    return [b"".join(chunks)] if len(chunks) > MOST_CHUNKS else chunks
