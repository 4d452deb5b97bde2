"""SIGTERM and Ctrl-C: what is under way ends well, nothing new begins, and nobody waits for ever."""

import hashlib
import os
import signal
import socket
import time
from contextlib import suppress

import pytest

from tests.conftest import StartServer
from tests.registry.wire import Line, request
from tests.server import Server, processes
from tests.workers import wait_for

CONTENT = bytes(range(256)) * 4000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
UPLOAD = f"/v2/library/late/blobs/uploads/?digest={DIGEST}"
SIGNALS = [signal.SIGTERM, signal.SIGINT]


def interrupt(server: Server, number: signal.Signals) -> None:
    """As a service manager does, or a terminal, which reaches every process."""
    if number is signal.SIGINT:
        os.killpg(server.process.pid, number)
    else:
        os.kill(server.process.pid, number)


def refuses_connections(server: Server) -> bool:
    with suppress(OSError), socket.create_connection((server.host, server.port), 1):
        return False
    return True


def begin_upload(line: Line) -> None:
    """Until the server asks for the body: before that, nothing is under way yet."""
    line.ask("POST", UPLOAD, line.admin, "Expect: 100-continue", f"Content-Length: {len(CONTENT)}")
    assert line.read().status == 100


@pytest.mark.parametrize("number", SIGNALS)
def test_an_upload_under_way_is_finished(start_server: StartServer, number: signal.Signals) -> None:
    server = start_server()
    with Line(server) as line:
        begin_upload(line)
        line.send(CONTENT[:100_000])
        interrupt(server, number)
        wait_for(lambda: refuses_connections(server), "no new connections are taken")
        for start in range(100_000, len(CONTENT), 300_000):
            line.send(CONTENT[start : start + 300_000])
            time.sleep(0.1)
        assert line.read().status == 201
    assert server.process.wait(20) == 0
    wait_for(lambda: not processes(server.process.pid), "no process is left")
    again = start_server(server.data)
    assert request(again, "GET", f"/v2/library/late/blobs/{DIGEST}").body == CONTENT


@pytest.mark.parametrize("number", SIGNALS)
def test_a_server_with_nothing_to_do_ends_at_once(start_server: StartServer, number: signal.Signals) -> None:
    server = start_server()
    with Line(server) as idle:
        idle.ask("GET", "/livez")
        assert idle.read().status == 200
        began = time.monotonic()
        interrupt(server, number)
        assert server.process.wait(20) == 0
        assert time.monotonic() - began < 15
    assert "Traceback" not in server.tail()


def test_a_body_that_stands_still_does_not_hold_the_server(start_server: StartServer) -> None:
    server = start_server(environment={"MOORING_BODY_TIMEOUT_SECONDS": "2"})
    with Line(server) as line:
        begin_upload(line)
        line.send(CONTENT[:10])
        server.process.terminate()
        assert line.read().status == 408
    assert server.process.wait(20) == 0


@pytest.mark.parametrize("part", [[], ["Range: bytes=1-"]], ids=["whole", "part"])
def test_a_pull_under_way_is_finished(start_server: StartServer, part: list[str]) -> None:
    server = start_server()
    content = CONTENT * 32  # more than the sockets take by themselves
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert request(server, "POST", f"/v2/library/late/blobs/uploads/?digest={digest}", content).status == 201
    with Line(server) as line:
        line.ask("GET", f"/v2/library/late/blobs/{digest}", line.admin, *part)
        assert line.read_head().headers["content-length"] == str(len(content) - len(part))
        read = line.read_some()
        server.process.terminate()
        wait_for(lambda: refuses_connections(server), "no new connections are taken")
        while count := line.read_some():
            read += count
    assert read == len(content) - len(part)
    assert server.process.wait(20) == 0


def test_a_second_signal_changes_nothing(start_server: StartServer) -> None:
    server = start_server()
    for _ in range(3):
        server.process.terminate()
        time.sleep(0.05)
    assert server.process.wait(20) == 0
