"""The server that tests start: it begins, ends and begins again on the same data."""

import pytest

from tests.api import Api
from tests.conftest import StartServer
from tests.server import ServerFailed, processes


def test_it_stops_when_asked(start_server: StartServer) -> None:
    running = start_server()
    assert len(processes(running.process.pid)) >= 3, "a supervisor and two workers"
    assert running.stop() == 0
    assert processes(running.process.pid) == []


def test_it_starts_again_after_a_kill(start_server: StartServer) -> None:
    first = start_server()
    first.kill()
    again = start_server(first.data)
    # the first start made the administrator; the second must not need to
    admin = Api(again.url, again.username, again.password)
    assert admin.request("GET", "/service/token").status == 200
    assert Api(again.url, again.username, "wrong").request("GET", "/service/token").status == 401


def test_a_server_that_cannot_start_says_why(start_server: StartServer) -> None:
    with pytest.raises(ServerFailed, match="workers"):
        start_server(environment={"MOORING_WORKERS": "none"})
