"""HTTP/1.1 over a bare socket, for what no client library lets a test say."""

import contextlib
import socket
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from tests.server import Server


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""


class Line:
    """One connection. Every wait ends after `patience` seconds with TimeoutError."""

    def __init__(self, server: Server, patience: float = 20) -> None:
        self._socket = socket.create_connection((server.host, server.port), patience)
        self._host = server.address
        credentials = f"{server.username}:{server.password}".encode()
        self.admin = f"Authorization: Basic {b64encode(credentials).decode()}"
        self._held = b""
        self._bodiless = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, method: str, target: str, *headers: str) -> None:
        """Send the head of a request, and nothing of its body."""
        self._bodiless = method == "HEAD"
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}", *headers]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_what_is_taken(self, data: bytes) -> None:
        """The other side may answer and close before it has read everything."""
        self.takes(data)

    def takes(self, data: bytes) -> bool:
        """Send it; False where the other side has closed."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)
            return True
        return False

    def read(self) -> Answer:
        """The next answer: also one of the 1xx kind, which has no body."""
        answer = self.read_head()
        length = 0 if self._bodiless else int(answer.headers.get("content-length", 0))
        while len(self._held) < length:
            self._receive()
        body, self._held = self._held[:length], self._held[length:]
        return replace(answer, body=body)

    def read_head(self) -> Answer:
        """The next answer without its body, which `read_some` counts."""
        while b"\r\n\r\n" not in self._held:
            self._receive()
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split()[1]), headers)

    def read_some(self) -> int:
        """How many bytes came, whatever they are; 0 at the end."""
        held, self._held = self._held, b""
        return len(held or self._socket.recv(1 << 20))

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("closed instead of an answer")
        self._held += data


def request(server: Server, method: str, target: str, body: bytes = b"", *headers: str) -> Answer:
    """One request as the administrator, on a connection of its own."""
    with Line(server, patience=60) as line:
        line.ask(method, target, line.admin, f"Content-Length: {len(body)}", *headers)
        line.send_what_is_taken(body)
        return line.read()


def chunks(*parts: bytes) -> Iterator[bytes]:
    """A body in chunked encoding, to its end."""
    for part in parts:
        yield b"%x\r\n%s\r\n" % (len(part), part)
    yield b"0\r\n\r\n"
