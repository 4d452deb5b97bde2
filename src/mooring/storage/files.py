"""What is done with single files, and how what the system says of them is explained."""

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from mooring.errors import StorageFull, StorageReadOnly, Unavailable
from mooring.storage.store import ObjectMissing

AHEAD_BYTES = 4 * 1024 * 1024
SYNC_FILE_RANGE_WRITE = 2
_sync_file_range: Callable[[int, int, int, int], int] | None = getattr(
    ctypes.CDLL(None, use_errno=True), "sync_file_range", None
)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)  # type: ignore[attr-defined]
P = ParamSpec("P")
T = TypeVar("T")


def cached(descriptor: int, size: int, position: int) -> bytes:
    """This part, if the page cache has it: nothing where the disk would have to be waited for.

    A hop to a thread costs more than the copy, so what is cached is read on the event loop.
    """
    try:
        os.preadv(descriptor, [bytearray(1)], position + size - 1, os.RWF_NOWAIT)
        return os.pread(descriptor, size, position)
    except OSError:
        # It is not cached, or the file system can't tell. A thread meets any other error again, and explains it.
        return b""


def fetch(descriptor: int, size: int, position: int) -> bytes:
    """From the disk, which is asked for what comes next as well."""
    os.posix_fadvise(descriptor, position, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
    return os.pread(descriptor, size, position)


def begin_writeback(descriptor: int, start: int, length: int) -> None:
    """Have the disk write what is not synced yet, while more is received: the sync at the end then has little to do.

    Promises nothing (sync_file_range(2)): where it can't be done, nothing is lost but time.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, start, length, SYNC_FILE_RANGE_WRITE)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def guarded(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with translated_errors():
        return call(*args, **kwargs)


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
