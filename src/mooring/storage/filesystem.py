"""Objects as files of one local directory, 256 folders wide."""

import asyncio
import errno
import fcntl
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from mooring.errors import StorageFull, StorageReadOnly, TooLarge, Unavailable
from mooring.storage.store import ObjectBusy, ObjectMissing, OffsetMismatch, Watch

READ_BYTES = 1024 * 1024
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
        """Make the folders and the marker. Raises Unavailable when the marker is another cluster's."""
        with translated_errors():
            for number in range(256):
                (self.directory / f"{number:02x}").mkdir(parents=True, exist_ok=True)
            marker = self.directory / MARKER
            if not marker.exists():
                marker.write_text(cluster_id + "\n")
                _sync(marker)
            _sync(self.directory)
        self.cluster_id = cluster_id
        self._require_marker()

    async def append(self, key: str, offset: int, chunks: AsyncIterable[bytes], watch: Watch, *, limit: int) -> int:
        descriptor, created = await self._run(self._open_for_append, key, offset)
        try:
            position = offset
            waiting: list[bytes] = []
            held = 0
            async for chunk in chunks:
                if position + held + len(chunk) > limit:
                    raise TooLarge(f"A blob may have {limit} bytes at most.")
                waiting.append(chunk)
                held += len(chunk)
                if held >= WRITE_BYTES:
                    await self._run(_write, descriptor, position, waiting, watch)
                    position, waiting, held = position + held, [], 0
            if waiting:
                position += held
            await self._run(self._finish_append, descriptor, position - held, waiting, watch, key, created)
            return position
        finally:
            os.close(descriptor)

    async def size(self, key: str) -> int:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error

    async def read(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        descriptor = await self._run(self._open_for_reading, key)
        try:
            end = start + length
            while start < end:
                chunk = await self._run(os.pread, descriptor, min(READ_BYTES, end - start), start)
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

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

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

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(_guarded, call, *args, **kwargs))

    def _open_for_append(self, key: str, offset: int) -> tuple[int, bool]:
        path = self._path(key)
        created = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ObjectBusy(key) from error
            size = os.fstat(descriptor).st_size
            if size < offset:
                raise OffsetMismatch(size)
            if size > offset:
                os.ftruncate(descriptor, offset)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor, created

    def _finish_append(
        self, descriptor: int, position: int, waiting: list[bytes], watch: Watch, key: str, created: bool
    ) -> None:
        _write(descriptor, position, waiting, watch)
        os.fsync(descriptor)
        if created:
            _sync(self._path(key).parent)

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
        if not os.access(self.directory, os.W_OK) or os.statvfs(self.directory).f_flag & os.ST_RDONLY:
            raise StorageReadOnly

    def _require_marker(self) -> None:
        try:
            found = (self.directory / MARKER).read_text().strip()
        except OSError as error:
            raise Unavailable(f"The store at {self.directory} has no marker: it is not this registry's.") from error
        if found != self.cluster_id:
            raise Unavailable(f"The store at {self.directory} belongs to another registry ({found}).")


def _guarded(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with translated_errors():
        return call(*args, **kwargs)


def _write(descriptor: int, position: int, chunks: list[bytes], watch: Watch) -> None:
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            written = os.pwrite(descriptor, view, position)
            position += written
            view = view[written:]
        watch(chunk)


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
