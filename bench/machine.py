"""The machine of a run, and the floors it sets: how fast it hashes and how fast its disk takes bytes."""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from bench.content import BLOCK, MIB
from bench.rates import client

PACKAGES = ("httptools", "uvloop", "sqlalchemy", "pysqlite3")


def facts(directory: Path) -> list[str]:
    """Lines on hardware, system and versions; nothing that names the machine or a place on it."""
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line)
    return [
        f"{os.cpu_count()} cores: {_processor()}; {int(memory.split()[1]) / MIB:.0f} GiB of memory",
        f"Linux {platform.release().partition('-')[0]}, {_file_system(directory)}",
        ", ".join([f"Python {platform.python_version()}", *map(_version, PACKAGES)]),
        f"client of the GET rows: {client()}",
    ]


def floors(directory: Path) -> list[str]:
    """What no registry on this machine can beat, in MB/s; medians of three."""
    noise = os.urandom(BLOCK)
    hashed = median(_timed(lambda: sha256(noise).digest()) for _ in range(3))
    single = median(_timed(lambda: _write(directory / "floor", noise, 16)) for _ in range(3))
    double = median(_timed(lambda: _write_two(directory, noise)) for _ in range(3))
    return [
        f"sha256 on one core: {BLOCK / hashed / 1e6:,.0f} MB/s",
        f"64 MiB written and synced, 2 at once: {8 * BLOCK / double / 1e6:,.0f} MB/s",
        f"1 GiB written and synced: {16 * BLOCK / single / 1e6:,.0f} MB/s",
    ]


def sync_seconds(directory: Path) -> float:
    """How long the disk takes to sync a page that was written anew, as a database's log is; the median of fifty."""
    taken = []
    with (directory / "sync").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(8192))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    return median(taken)


def _timed(work: object) -> float:
    os.sync()
    start = time.perf_counter()
    assert callable(work)
    work()
    return time.perf_counter() - start


def _write_two(directory: Path, noise: bytes) -> None:
    def write(name: str) -> None:
        for _ in range(4):
            _write(directory / name, noise, 1)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ("floor-1", "floor-2")))


def _write(path: Path, block: bytes, times: int) -> None:
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(block)
        os.fsync(file.fileno())
    path.unlink()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _file_system(directory: Path) -> str:
    """The type of the file system that holds `directory`: the longest mount point above it."""
    best = ("", "an unknown file system")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if directory.resolve().is_relative_to(point) and len(point) > len(best[0]):
            best = (point, kind)
    return best[1]


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"
