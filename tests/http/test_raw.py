"""Requests as bytes on a socket: what the server itself makes of them before the application sees any."""

import re
import socket
from typing import Final

import pytest

from tests.server import Server

HOST: Final = b"Host: registry.test\r\n"
CLOSE: Final = b"Connection: close\r\n"


def send(server: Server, content: bytes) -> bytes:
    """Whatever comes back until the server closes or says nothing more for a while."""
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        connection.sendall(content)
        found = b""
        try:
            while piece := connection.recv(65536):
                found += piece
        except ConnectionResetError:
            pass  # it closed while we were still sending
        return found


def get(path: bytes, *headers: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + CLOSE + b"".join(headers) + b"\r\n"


@pytest.mark.parametrize(
    "path",
    [
        b"/v2/library/%ff/manifests/x",
        b"/v2/library/%00/manifests/x",
        b"/v2/library/a%0ab/manifests/x",
        b"/v2/library/%ed%a0%80/tags/list",
        b"/v2/library/app/manifests/%2e%2e",
        b"/v2/../../etc/passwd",
        b"/v2/library/app/blobs/..%2f..%2fmooring.db",
        b"//v2/",
        b"/v2//",
        b"/%",
        b"/v2/%",
        b"/v2/library/app/tags/list?n=%ff&last=%00",
        b"http://elsewhere.test/v2/",
        b"*",
        b"/v2/" + b"a/" * 4000,
    ],
)
def test_odd_paths(server: Server, path: bytes) -> None:
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", send(server, get(path)))
    assert status is not None
    assert 200 <= int(status[1]) < 500


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\n" + HOST + b"\r\n",
        b"GET /v2/\r\n\r\n",
        get(b"/v2/", b"Content-Length: 5\r\nContent-Length: 6\r\n"),
        get(b"/v2/", b"Content-Length: -1\r\n"),
        get(b"/v2/", b"Bad Header: x\r\n"),
        get(b"/v2/", b"X: " + b"x" * 600_000 + b"\r\n"),
        get(b"/v2/", b"".join(b"X-%d: x\r\n" % number for number in range(2000))),
        b"GET / HTTP/1.1\r\n" + b"Transfer-Encoding: chunked\r\n" + HOST + CLOSE + b"\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused_or_cut(server: Server, content: bytes) -> None:
    found = send(server, content)
    assert not re.match(rb"HTTP/1\.\d 5", found)
    assert b"Traceback" not in found


def test_the_server_is_still_well(server: Server) -> None:
    assert server.ready()


@pytest.mark.parametrize("value", [b"\xff", b"Basic \xff", b"Bearer \xe9.\xe9.\xe9", b"Basic", b""])
def test_odd_credentials(server: Server, value: bytes) -> None:
    assert send(server, get(b"/v2/", b"Authorization: " + value + b"\r\n")).startswith(b"HTTP/1.1 401 ")


def test_two_authorization_headers(server: Server) -> None:
    found = send(server, get(b"/v2/", b"Authorization: Basic YTpi\r\nAuthorization: Bearer x\r\n"))
    assert found.startswith(b"HTTP/1.1 401 ")
    assert b"malformed" in found


def test_an_error_to_head_has_no_body(server: Server) -> None:
    found = send(server, b"HEAD /v2/library/none/manifests/none HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert found.startswith(b"HTTP/1.1 404 ")
    assert found.endswith(b"\r\n\r\n")


def test_nothing_is_taken_from_who_may_not_push(server: Server) -> None:
    """Refused before `100 Continue`: not a byte of the layer is sent."""
    request = (
        b"POST /v2/library/app/blobs/uploads/?digest=sha256:" + b"0" * 64 + b" HTTP/1.1\r\n"
        b"Content-Length: 1000000\r\nExpect: 100-continue\r\n" + HOST + CLOSE + b"\r\n"
    )
    assert send(server, request).startswith(b"HTTP/1.1 401 ")
