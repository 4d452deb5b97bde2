"""Objects as files of one local directory, 256 folders wide."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from mooring.errors import Unavailable
from mooring.measuring import Observe, measured, unobserved
from mooring.storage.file_writer import LEAST_WRITE, WRITE_BYTES, WRITE_ROOM, FileWriter, open_alone
from mooring.storage.files import cached, fetch, guarded, sync, translated_errors
from mooring.storage.store import Begun, ObjectMissing, Watch, require_own

READ_BYTES = 1024 * 1024
FIRST_BYTES = 128 * 1024
SEND_BYTES = 1024 * 1024
"""The server holds some six chunks for a client that takes none. Large ones cost fewer changes of thread: with 128 KiB
alone, a gibibyte took a quarter longer than from distribution."""

TAKEN_BYTES = 8 * 1024 * 1024
"""More than the sockets hold by themselves: who got so far does read, and gets the large ones."""

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
        self._observe: Observe = unobserved
        self._writers = 0

    def observed_by(self, observe: Observe) -> None:
        self._observe = observe

    def prepare(self, cluster_id: str) -> None:
        """Make the folders and the marker. Raises Foreign when the marker is another cluster's."""
        with translated_errors():
            self._make_folders()
        if self.marker() is None:
            self.mark(cluster_id)
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
            sync(self.directory)
        self.cluster_id = cluster_id

    def _make_folders(self) -> None:
        for number in range(256):
            (self.directory / f"{number:02x}").mkdir(parents=True, exist_ok=True)
        sync(self.directory)

    def _write_marker(self, cluster_id: str) -> None:
        """Written aside: half a marker would make this store somebody else's."""
        aside = self.directory / f"{MARKER}.new"
        aside.write_text(cluster_id + "\n")
        sync(aside)
        aside.replace(self.directory / MARKER)

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[FileWriter]:
        path = self._path(key)
        try:
            descriptor = await self._open_alone(path)
        except ObjectMissing as error:
            raise Unavailable("The registry's store is not where it was. Try again shortly.") from error
        self._writers += 1
        try:
            yield FileWriter(descriptor, path, self._run, self._most)
        finally:
            self._writers -= 1
            os.close(descriptor)

    def _most(self) -> int:
        return max(LEAST_WRITE, min(WRITE_BYTES, WRITE_ROOM // self._writers))

    async def _open_alone(self, path: Path) -> int:
        """In place where the upload was begun: only a new file can make its maker wait for the disk."""
        try:
            return guarded(open_alone, path, new=False)
        except ObjectMissing:
            return await self._run(open_alone, path, new=True)

    async def size(self, key: str) -> int:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error

    async def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes]:
        # In place: whoever reads has just asked for the size, which took the file's entry off the disk.
        descriptor = guarded(self._open_for_reading, key)
        try:
            end = start + length
            reads = start + TAKEN_BYTES
            while start < end:
                size = min(SEND_BYTES if start >= reads else FIRST_BYTES, end - start)
                chunk = cached(descriptor, size, start) or await self._run(fetch, descriptor, size, start)
                if not chunk:
                    raise Unavailable("The registry's store holds less of this blob than it should.")
                start += len(chunk)
                yield chunk
        finally:
            os.close(descriptor)

    async def digest(self, key: str, size: int, watch: Watch) -> None:
        await self._run(self._digest, key, size, watch)

    async def delete(self, keys: Sequence[str]) -> None:
        await self._run(self._delete, [self._path(key) for key in keys])

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
        work = partial(guarded, call, *args, **kwargs)
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await measured(self._observe, call.__name__.strip("_"), asyncio.shield(running))
        except asyncio.CancelledError:
            # The thread still uses the descriptor that the caller would close now.
            await asyncio.wait([running])
            raise

    def _delete(self, paths: Sequence[Path]) -> None:
        for path in paths:
            path.unlink(missing_ok=True)

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
        require_own(self.marker(), self.cluster_id, str(self.directory))
