"""Disks that tests fill or lock: only a real one fails the way disks do."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import missing


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes, mounted at `place` until the block ends."""
    _require_root()
    place.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(place))
    try:
        yield place
    finally:
        _run("umount", "--lazy", str(place))


@contextmanager
def breakable_disk(place: Path, size: int) -> Iterator[Path]:
    """A file system with a journal, mounted at `place` until the block ends: `cut_off` breaks it, `mend` mends it."""
    _require_root()
    image = place.with_name(f"{place.name}.img")
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-m", "0", str(image))
    place.mkdir()
    _run("mount", "-o", "loop", str(image), str(place))
    try:
        yield place
    finally:
        _run("umount", "--lazy", str(place))


def cut_off(place: Path) -> None:
    """What Linux does to a disk that had an error: nothing is written any more, also by who has a file open."""
    _run("mount", "-o", "remount,abort", str(place))


def mend(place: Path) -> None:
    """Nobody may have a file of it open."""
    _run("umount", str(place))
    _run("mount", "-o", "loop", str(place.with_name(f"{place.name}.img")), str(place))


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Lets nobody write below the existing directory `place` until the block ends, root neither."""
    _require_root()
    _run("mount", "--bind", str(place), str(place))
    try:
        _run("mount", "-o", "remount,bind,ro", str(place))
        yield
    finally:
        _run("umount", "--lazy", str(place))


def fill(place: Path, *, leave: int = 0) -> Path:
    """Take all but `leave` bytes of the disk that holds `place`, with one file there."""
    ballast = place / "ballast"
    ballast.write_bytes(b"")
    free = os.statvfs(place)
    descriptor = os.open(ballast, os.O_WRONLY)
    try:
        os.posix_fallocate(descriptor, 0, max(1, free.f_bavail * free.f_frsize - leave))
    finally:
        os.close(descriptor)
    return ballast


def _require_root() -> None:
    if os.geteuid() != 0:
        missing("only root may mount a disk of a test's own. To run this test: run the tests as root")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"{' '.join(command)}: {done.stderr.strip()}. To run this test: let root mount file systems")
