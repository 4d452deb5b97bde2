"""The processes of a server: what happens to the others when one of them dies."""

import os
import signal
from functools import partial

import pytest

from tests import server as servers
from tests.api import Api
from tests.conftest import StartServer
from tests.observe.shown import Shown, shown
from tests.server import Server, processes
from tests.workers import wait_for, workers

pytestmark = pytest.mark.faults


def test_a_killed_worker_is_replaced_and_what_it_counted_stays(start_server: StartServer) -> None:
    server = start_server()
    before = workers(server)
    for _ in range(20):
        ask(server, "/v2/")
    wait_for(lambda: metrics(server).sum("mooring_workers", role="server") == 2, "both are shown")
    wait_for(lambda: metrics(server).sum("mooring_requests_total", route="v2") >= 20, "all requests are")
    counted = metrics(server).sum("mooring_requests_total", route="v2")
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: shows_one(server), "one of them is shown")
    assert metrics(server).sum("mooring_requests_total", route="v2") >= counted
    wait_for(lambda: len(workers(server)) == 2 and min(before) not in workers(server), "the worker is replaced")
    wait_for(server.ready, "the server is ready")
    assert server.stop() == 0


def ask(server: Server, path: str) -> bytes:
    return Api(server.url, "", "").request("GET", path).body


def shows_one(server: Server) -> bool:
    try:
        return metrics(server).sum("mooring_workers", role="server") == 1
    except ConnectionError:
        # This question had reached the one that was killed.
        return False


def metrics(server: Server) -> Shown:
    return shown(ask(server, "/metrics"))


def test_workers_that_are_killed_together_are_all_replaced(start_server: StartServer) -> None:
    server = start_server(workers=3)
    before = workers(server)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(workers(server)) == 3 and not workers(server) & before, "all three are replaced")
    wait_for(server.ready, "the server is ready")
    assert server.stop() == 0


def _is_replaced(server: Server, killed: int) -> bool:
    running = workers(server)
    return len(running) == 2 and killed not in running


def test_a_worker_that_is_killed_again_and_again_does_not_end_the_server(start_server: StartServer) -> None:
    server = start_server()
    for _ in range(4):
        killed = max(workers(server))
        os.kill(killed, signal.SIGKILL)
        wait_for(partial(_is_replaced, server, killed), "it is replaced")
    wait_for(server.ready, "the server is ready")
    assert server.stop() == 0


def test_no_worker_outlives_its_supervisor(start_server: StartServer) -> None:
    server = start_server()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    wait_for(lambda: not processes(server.process.pid), "its workers are gone", seconds=5)
    again = servers.launch(server.data, server.port, 2, {})
    try:
        servers.wait_until_ready(again, 60)
        assert again.stop() == 0
    finally:
        again.kill()


def test_a_server_ends_while_some_of_its_workers_still_start(start_server: StartServer) -> None:
    assert start_server(workers=4).stop() == 0


def test_a_server_whose_workers_cannot_start_ends_and_says_why(start_server: StartServer) -> None:
    server = start_server()
    (server.data / "master.key").unlink()
    for pid in workers(server):
        os.kill(pid, signal.SIGKILL)
    # Five starts of a worker, which take long where others use the machine too.
    assert server.process.wait(240) == 1
    assert "mooring: The master key" in server.tail()
    assert "Traceback" not in server.tail()
