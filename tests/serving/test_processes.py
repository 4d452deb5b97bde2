"""The one socket that all workers share, while they come and go."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from mooring import processes
from mooring.processes import MOST_FALSE_STARTS, Supervisor
from tests.conftest import StartServer
from tests.http.wire import lines
from tests.registry.wire import Line
from tests.workers import wait_for, workers

KEPT = 40
WAITING = 20


def test_each_worker_gets_its_share_of_connections(start_server: StartServer) -> None:
    """Those that come at once, and are kept: by default whoever is awake takes them all."""
    server = start_server()
    with lines(server.url, 2):
        pass  # both let in
    with ExitStack() as stack:
        kept = [stack.enter_context(Line(server)) for _ in range(KEPT)]
        for line in kept:
            line.ask("GET", "/readyz")
        found = Counter(json.loads(line.read().body)["replica"] for line in kept)
    assert len(found) == 2
    assert min(found.values()) > KEPT / 3, found
    assert server.stop() == 0


@pytest.mark.faults
@pytest.mark.parametrize("killed", [1, 2], ids=["one of two", "both"])
def test_who_waits_at_the_door_while_workers_are_killed_is_let_in(start_server: StartServer, killed: int) -> None:
    server = start_server()
    before = sorted(workers(server))
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: all(is_stopped(pid) for pid in before), "both stand still")
    with ExitStack() as stack:
        lines = [stack.enter_context(Line(server, patience=60)) for _ in range(WAITING)]
        for line in lines:
            line.ask("GET", "/livez", "Connection: close")
        for pid in before[:killed]:
            os.kill(pid, signal.SIGKILL)
        for pid in before[killed:]:
            os.kill(pid, signal.SIGCONT)
        assert [line.read().status for line in lines] == [200] * WAITING
    wait_for(lambda: len(workers(server)) == 2, "there are two again")
    assert server.stop() == 0


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_worker_may_open_as_much_as_the_system_lets_it() -> None:
    """In a process of its own, with the limit that many systems begin with."""
    limited = (
        "import resource as r; hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (64, hard));"
        "from mooring.processes import open_many; open_many(); assert r.getrlimit(r.RLIMIT_NOFILE) == (hard, hard)"
    )
    subprocess.run([sys.executable, "-c", limited], check=True, timeout=60)


def test_a_process_that_cannot_be_made_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is short, say: the workers that serve go on."""

    def short(*_: object) -> None:
        raise BlockingIOError("no process can be made")

    monkeypatch.setattr(processes, "Worker", short)
    with socket.socket() as listener:
        supervisor = Supervisor("nothing:nothing", listener, 2)
        supervisor._start_due()
        assert supervisor._due.keys() == {0, 1}
        assert supervisor._workers == [None, None]
        os.close(supervisor._signals)
        os.close(supervisor._wake)


def test_a_server_of_which_no_process_can_be_made_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    def short(*_: object) -> None:
        nonlocal tries
        tries += 1
        raise BlockingIOError("no process can be made")

    before = [signal.getsignal(number) for number in processes.ENDING]
    monkeypatch.setattr(processes, "Worker", short)
    monkeypatch.setattr(processes, "PAUSE_SECONDS", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        supervisor = Supervisor("nothing:nothing", listener, 1)
        try:
            assert supervisor.run() == 1
        finally:
            for number, handler in zip(processes.ENDING, before, strict=True):
                signal.signal(number, handler)
            os.close(supervisor._signals)
            os.close(supervisor._wake)
    assert tries == MOST_FALSE_STARTS
