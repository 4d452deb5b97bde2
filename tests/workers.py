"""The processes of a server that a test looks at, or kills."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.server import Server, processes


def workers(server: Server) -> set[int]:
    """Those that serve: neither the supervisor nor what `multiprocessing` starts for itself."""
    found = set()
    for pid in processes(server.process.pid):
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def resident_bytes(pid: int) -> int:
    """How much memory a process holds now, without what it shares with the others by mapping the same files."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


class Moved(NamedTuple):
    """Bytes, from and to files and connections, whether or not a disk had to move for them."""

    read: int
    written: int


def moved(pid: int) -> Moved:
    """What a process has asked the system to copy so far."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return Moved(int(fields["rchar"]), int(fields["wchar"]))


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not after {seconds} s: {what}"
        time.sleep(0.02)
