"""Objects as files of one local directory, 256 folders wide."""

import asyncio
import errno
import fcntl
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, Protocol, Self, TypeVar

from mooring.errors import Foreign, StorageFull, StorageReadOnly, TooLarge, Unavailable
from mooring.storage.store import Begun, ObjectBusy, ObjectMissing, OffsetMismatch, Reserve, Watch

READ_BYTES = 1024 * 1024
SEND_BYTES = 128 * 1024
"""Larger chunks fall out of a core's cache between their copies, smaller ones cost more calls: both measured slower.
The server holds a few of them for each client that has asked and does not read."""
AHEAD_BYTES = 4 * 1024 * 1024

WRITE_BYTES = 1024 * 1024
THREADS = 16
MARKER = "cluster-id"
P = ParamSpec("P")
T = TypeVar("T")

KEY = re.compile(r"[0-9a-f]{32}")


class FileStore:
    def __init__(self, directory: Path, cluster_id: str | None = None) -> None:
        self.directory = directory
        self.cluster_id = cluster_id
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")

    def prepare(self, cluster_id: str) -> None:
        """Make the folders and the marker. Raises Foreign when the marker is another cluster's."""
        with translated_errors():
            self._make_folders()
            if self.marker() is None:
                self._write_marker(cluster_id)
            _sync(self.directory)
        self.cluster_id = cluster_id
        self._require_marker()

    def marker(self) -> str | None:
        with translated_errors():
            try:
                return (self.directory / MARKER).read_text(errors="replace").strip()
            except FileNotFoundError:
                return None

    def mark(self, cluster_id: str) -> None:
        with translated_errors():
            self._make_folders()
            self._write_marker(cluster_id)
            _sync(self.directory)
        self.cluster_id = cluster_id

    def _make_folders(self) -> None:
        for number in range(256):
            (self.directory / f"{number:02x}").mkdir(parents=True, exist_ok=True)

    def _write_marker(self, cluster_id: str) -> None:
        """Written aside: half a marker would make this store somebody else's."""
        aside = self.directory / f"{MARKER}.new"
        aside.write_text(cluster_id + "\n")
        _sync(aside)
        aside.replace(self.directory / MARKER)

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator["FileWriter"]:
        path = self._path(key)
        try:
            descriptor = await self._run(_open_alone, path)
        except ObjectMissing as error:
            raise Unavailable("The registry's store is not where it was. Try again shortly.") from error
        try:
            yield FileWriter(descriptor, path, self._run)
        finally:
            os.close(descriptor)

    async def size(self, key: str) -> int:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error

    async def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes]:
        descriptor = _guarded(self._open_for_reading, key)
        try:
            end = start + length
            while start < end:
                size = min(SEND_BYTES, end - start)
                chunk = _cached(descriptor, size, start) or await self._run(_fetch, descriptor, size, start)
                if not chunk:
                    raise Unavailable("The registry's store holds less of this blob than it should.")
                start += len(chunk)
                yield chunk
        finally:
            os.close(descriptor)

    async def digest(self, key: str, size: int, watch: Watch) -> None:
        await self._run(self._digest, key, size, watch)

    async def delete(self, key: str) -> None:
        await self._run(self._path(key).unlink, True)

    async def begun(self) -> Sequence[Begun]:
        """None: a file that was begun is an object."""
        return ()

    async def abandon(self, begun: Begun) -> None:
        return None

    async def address(self, key: str) -> str | None:
        return None

    async def disconnect(self) -> None:
        return None

    async def check(self) -> None:
        await self._run(self._check)

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    def keys(self) -> Iterator[str]:
        """Every object's key. A walk over the whole directory: for `mooring check`, never for a request."""
        for folder in sorted(self.directory.glob("[0-9a-f][0-9a-f]")):
            for entry in os.scandir(folder):
                if KEY.fullmatch(entry.name):
                    yield entry.name

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError("not an object key")
        return self.directory / key[:2] / key

    async def _run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = partial(_guarded, call, *args, **kwargs)
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The thread still uses the descriptor that the caller would close now.
            await asyncio.wait([running])
            raise

    def _open_for_reading(self, key: str) -> int:
        return os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)

    def _digest(self, key: str, size: int, watch: Watch) -> None:
        descriptor = self._open_for_reading(key)
        try:
            position = 0
            while position < size:
                chunk = os.pread(descriptor, min(READ_BYTES, size - position), position)
                if not chunk:
                    raise Unavailable("The registry's store holds less of this upload than it should.")
                watch(chunk)
                position += len(chunk)
        finally:
            os.close(descriptor)

    def _check(self) -> None:
        self._require_marker()
        # A disk that was cut off after an error does not call itself read-only: only a change shows it.
        os.utime(self.directory / MARKER)

    def _require_marker(self) -> None:
        try:
            found = (self.directory / MARKER).read_text().strip()
        except OSError as error:
            text = f"The store at {self.directory} has no marker: it is not this registry's."
            raise Foreign(text) from error
        if found != self.cluster_id:
            raise Foreign(f"The store at {self.directory} belongs to another registry ({found}).")


def _guarded(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with translated_errors():
        return call(*args, **kwargs)


class Run(Protocol):
    async def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


class FileWriter:
    """A file held open and locked: the lock goes with the descriptor, so a killed process leaves none behind."""

    def __init__(self, descriptor: int, path: Path, run: Run) -> None:
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
        async with _InOrder(self._run) as writes:
            async for chunk in chunks:
                if position + held + len(chunk) > limit:
                    raise TooLarge(f"A blob may have {limit} bytes at most.")
                waiting.append(chunk)
                held += len(chunk)
                if held >= WRITE_BYTES:
                    await writes.start(_write, self._descriptor, position, waiting, watch)
                    position, waiting, held = position + held, [], 0
        return position, waiting

    def _finish(self, position: int, left: list[bytes], watch: Watch, new: bool) -> None:
        _write(self._descriptor, position, left, watch)
        os.fsync(self._descriptor)
        if new:
            _sync(self._path.parent)


class _InOrder:
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


def _open_alone(path: Path) -> int:
    """Raises ObjectBusy."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ObjectBusy(path.name) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _write(descriptor: int, position: int, chunks: list[bytes], watch: Watch) -> None:
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            written = os.pwrite(descriptor, view, position)
            position += written
            view = view[written:]
        watch(chunk)


def _cached(descriptor: int, size: int, position: int) -> bytes:
    """This part, if the page cache has it: nothing where the disk would have to be waited for.

    A hop to a thread costs more than the copy, so what is cached is read on the event loop.
    """
    try:
        os.preadv(descriptor, [bytearray(1)], position + size - 1, os.RWF_NOWAIT)
        return os.pread(descriptor, size, position)
    except OSError:
        # It is not cached, or the file system can't tell. A thread meets any other error again, and explains it.
        return b""


def _fetch(descriptor: int, size: int, position: int) -> bytes:
    """From the disk, which is asked for what comes next as well."""
    os.posix_fadvise(descriptor, position, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
    return os.pread(descriptor, size, position)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise
    except FileNotFoundError as error:
        raise ObjectMissing(str(error.filename)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StorageReadOnly from error
        raise Unavailable("The registry's store can't answer right now. Try again shortly.") from error
