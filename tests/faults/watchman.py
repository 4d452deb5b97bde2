"""Ends every process that a run started once the run itself has ended, in whatever way: `kill -9` included.

Not PR_SET_PDEATHSIG: that one tells of the thread that started a process, and most are started again by threads.
A process of its own: `watchman.py RUN MARK`, with standard input open for as long as the run goes on.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

NAME = "FAULTS_RUN"
PAUSE_SECONDS = 0.1


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """All that is started from now on inherits a mark, by which it is found. SIGTERM and Ctrl-C end it at once."""
    mark = secrets.token_hex(8)
    watchman = subprocess.Popen(
        [sys.executable, __file__, str(os.getpid()), mark], stdin=subprocess.PIPE, start_new_session=True
    )
    line = watchman.stdin
    assert line is not None

    def end(number: int, _frame: FrameType | None) -> None:
        # First the processes, so that nobody waits for them; then what is left to do in order, such as directories.
        line.close()
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    os.environ[NAME] = mark
    try:
        yield
    finally:
        line.close()


def marked(mark: str) -> list[int]:
    """The processes whose environment has it."""
    wanted = f"{NAME}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def watch(run: int, mark: str) -> None:
    """While it ends in order the run may still start some."""
    sys.stdin.read()
    while (left := marked(mark)) or os.getppid() == run:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2])
