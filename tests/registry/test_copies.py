"""How often the bytes of a push and a pull are copied between the system and a worker: once in and once out.

Like the operations of `test_operations`, this does not depend on how busy a machine is.
"""

import hashlib
import os
from collections.abc import Callable

import pytest

from tests.conftest import StartServer
from tests.http.site import basic
from tests.http.wire import ask
from tests.registry.wire import Line, request
from tests.server import Server
from tests.workers import moved, workers

MIB = 1024 * 1024
SIZE = 32 * MIB
FRAME = 32 * 1024
LAYER = os.urandom(SIZE)
DIGEST = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"
REPOSITORY = "/v2/library/copied"


def push_whole(server: Server) -> None:
    place = begin(server)
    with Line(server) as line:
        line.ask("PUT", f"{place}?digest={DIGEST}", line.admin, f"Content-Length: {SIZE}")
        line.send(LAYER)
        assert line.read().status == 201


def push_in_frames(server: Server) -> None:
    """As docker does, which does not know the length."""
    place = begin(server)
    with Line(server) as line:
        line.ask("PATCH", place, line.admin, "Transfer-Encoding: chunked")
        for start in range(0, SIZE, FRAME):
            line.send(b"%x\r\n%b\r\n" % (FRAME, LAYER[start : start + FRAME]))
        line.send(b"0\r\n\r\n")
        assert line.read().status == 202
    assert request(server, "PUT", f"{place}?digest={DIGEST}").status == 201


def pull(server: Server) -> None:
    headers = [basic(server.username, server.password)]
    assert ask(server.url, "GET", f"{REPOSITORY}/blobs/{DIGEST}", headers).body == LAYER


def begin(server: Server) -> str:
    return request(server, "POST", f"{REPOSITORY}/blobs/uploads/").headers["location"]


@pytest.mark.parametrize("go", [push_whole, push_in_frames, pull])
def test_each_byte_is_copied_once_in_and_once_out(start_server: StartServer, go: Callable[[Server], None]) -> None:
    server = start_server(workers=1)
    if go is pull:
        push_whole(server)
    (worker,) = workers(server)
    before = moved(worker)
    go(server)
    after = moved(worker)
    for copied in (after.read - before.read, after.written - before.written):
        # What else the worker does meanwhile, its database's log above all, is less than a tenth.
        assert SIZE <= copied < 1.1 * SIZE
