"""Parts on their way to a bucket, in files without a name: what many uploads hold is not a worker's memory."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import ParamSpec, TypeVar

from mooring.storage.files import cached, guarded

MOST_PIECE = 1024 * 1024
LEAST_PIECE = 32 * 1024
ROOM = 2 * 1024 * 1024
"""Gathered at once by all uploads together, where each gets more than the least. As much again is being written."""

SEND_BYTES = 64 * 1024

IN_FLIGHT = 2
"""Parts of one upload that are sent at a time, beside the one that is filled."""

SENDING = 8
"""Parts of all uploads that are sent at a time: each takes a connection, its buffers and botocore's own."""

FEW = 32
"""More uploads than this keep the bucket busy with one part each."""

P = ParamSpec("P")
T = TypeVar("T")


class Spool:
    """Where a process keeps parts until the bucket has them: below `directory`, or where temporary files go."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._uploads = 0
        self.sending = asyncio.Semaphore(SENDING)
        """Held while a part is sent, or a multipart upload is begun."""

    @contextmanager
    def upload(self) -> Iterator[None]:
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    def piece(self) -> int:
        """Bytes of an upload that are in memory before they are written."""
        return max(LEAST_PIECE, min(MOST_PIECE, ROOM // max(1, self._uploads)))

    def in_flight(self, part: "Part") -> int:
        return 1 if part.in_memory or self._uploads > FEW else IN_FLIGHT

    def open(self) -> tuple[FileIO, bool]:
        """A new file, and whether it is memory after all, as where nothing can be written."""
        for place in (self._directory, None):
            with suppress(OSError):
                if place is None or place.is_dir():
                    return tempfile.TemporaryFile(buffering=0, dir=place), False
        return FileIO(os.memfd_create("part"), "r+"), True


class Part:
    """Filled in threads, then a body that botocore takes and may send again."""

    def __init__(self, spool: Spool) -> None:
        self.in_memory = False
        self._spool = spool
        self._file: FileIO | None = None
        self._closed = False
        self._size = 0
        self._position = 0
        self._hash = hashlib.sha256()
        self._reading = Lock()

    def __len__(self) -> int:
        return self._size

    @property
    def sha256(self) -> str:
        """For the signature, so that nobody has to read the part for it."""
        return self._hash.hexdigest()

    def add(self, content: bytes) -> None:
        if self._file is None:
            self._file, self.in_memory = self._spool.open()
        view = memoryview(content)
        while view:
            written = os.pwrite(self._file.fileno(), view, self._size)
            self._hash.update(view[:written])
            self._size += written
            view = view[written:]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        start = 0
        while start < self._size:
            size = min(SEND_BYTES, self._size - start)
            chunk = cached(self._descriptor(), size, start) or await asyncio.to_thread(self._fetch, size, start)
            start += len(chunk)
            yield chunk

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._position
        chunk = self._fetch(left if size < 0 else min(size, left), self._position) if left else b""
        self._position += len(chunk)
        return chunk

    def seek(self, position: int) -> None:
        self._position = position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        with self._reading:
            self._closed = True
            if self._file is not None:
                self._file.close()

    def _fetch(self, size: int, start: int) -> bytes:
        """A request that was broken off may still read in a thread: its descriptor must not become another file's."""
        with self._reading:
            chunk = os.pread(self._descriptor(), size, start)
        if not chunk:
            raise OSError("a part is shorter than what was written")
        return chunk

    def _descriptor(self) -> int:
        if self._file is None or self._closed:
            raise OSError("a part is not there any more")
        return self._file.fileno()


async def apart(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """In a thread, and to its end: what it works with is not closed under it."""
    running = asyncio.ensure_future(asyncio.to_thread(partial(guarded, call, *args, **kwargs)))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
