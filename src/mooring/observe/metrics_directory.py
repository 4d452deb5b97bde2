"""Where the workers of one server keep what `/metrics` adds up: a directory of its own, gone with the server."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "mooring-metrics-"
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for the directory."""
LOCK = "lock"


@contextmanager
def metrics_directory() -> Iterator[Path]:
    """A new one. Those of servers that were killed are removed; a server that runs holds the lock in its own."""
    sweep(Path(tempfile.gettempdir()))
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    aside = directory / f"{LOCK}.new"
    descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Under its name only now: one that is there and free is a dead server's.
        aside.rename(directory / LOCK)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(descriptor)


def forget_gauges(directory: Path, pid: int | None) -> None:
    """Of a worker that died: what it last said is true no more. What it counted stays."""
    for file in directory.glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)


def sweep(place: Path) -> None:
    for lock in place.glob(f"{PREFIX}*/{LOCK}"):
        # Another user's, or gone meanwhile.
        with suppress(OSError):
            _remove_if_dead(lock)


def _remove_if_dead(lock: Path) -> None:
    """Raises BlockingIOError for a server that runs, and other OSErrors."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_uid == os.geteuid():
            shutil.rmtree(lock.parent, ignore_errors=True)
    finally:
        os.close(descriptor)
