"""A run of the faults that is interrupted leaves no process behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import ROOT
from tests.server import processes
from tests.workers import wait_for

RUN = """
import subprocess, sys, threading
from tests.faults.watchman import watching

def start():
    print(subprocess.Popen(["sleep", "600"], start_new_session=True).pid)

with watching():
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    print("started", flush=True)
    sys.stdin.readline()
"""
SECONDS = 20


def begin() -> tuple[subprocess.Popen[str], int, int]:
    """A run, the process that it has started by a thread, and its watchman: each in a session of its own."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert run.stdout is not None
    started = int(run.stdout.readline())
    assert run.stdout.readline() == "started\n"
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    (watchman,) = {int(child) for child in children} - {started}
    assert processes(started) == [started]
    assert processes(watchman) == [watchman]
    return run, started, watchman


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_an_interrupted_run_started_ends(number: signal.Signals) -> None:
    run, started, watchman = begin()
    run.send_signal(number)
    wait_for(lambda: not processes(started), "what the run started has ended", SECONDS)
    assert run.wait(SECONDS) == (-number if number is signal.SIGKILL else 128 + number)
    wait_for(lambda: not processes(watchman), "the watchman has ended", SECONDS)
    run.communicate()


def test_a_run_that_ends_by_itself_leaves_neither_what_it_forgot_nor_its_watchman() -> None:
    run, started, watchman = begin()
    run.communicate("\n", timeout=SECONDS)
    assert run.returncode == 0
    for process in (started, watchman):
        wait_for(lambda pid=process: not processes(pid), f"{process} has ended", SECONDS)  # type: ignore[misc]
