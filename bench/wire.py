"""HTTP/1.1 as thin as it gets: the driver shares its cores with the registry that it measures."""

import asyncio
import os
import socket
import struct
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Self

PATIENCE = 120  # seconds without a byte, either way, before a registry counts as hung
WINDOW = 1 << 20  # bytes asked of the kernel in one read of a pulled blob

Address = tuple[str, int]


class Unexpected(Exception):
    """A registry answered something else than the work needs."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    head: bytes
    body: bytes = b""

    def field(self, name: str) -> str:
        """The value of a header field, `name` in lower case; empty when there is none."""
        at = self.head.lower().find(b"\r\n" + name.encode() + b":")
        if at < 0:
            return ""
        start = at + len(name) + 3
        return self.head[start : self.head.index(b"\r\n", start)].strip().decode()

    def expect(self, status: int, what: str) -> Self:
        if self.status != status:
            raise Unexpected(f"{what}: {self.status} instead of {status}: {self.body[:300]!r}")
        return self

    @property
    def length(self) -> int:
        if not (length := self.field("content-length")) and self.status not in (204, 304):
            raise Unexpected(f"an answer without Content-Length: {self.head[:300]!r}")
        return int(length or 0)

    @property
    def target(self) -> str:
        """Where `Location` points, without scheme and host."""
        place = self.field("location")
        return place if place.startswith("/") else "/" + place.split("/", 3)[3]


def parse(head: bytes) -> Answer:
    return Answer(int(head[9:12]), head)


def message(method: str, target: str, host: str, fields: bytes = b"", body: bytes | None = None) -> bytes:
    length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
    start = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n".encode()
    return start + fields + length + b"\r\n" + (body or b"")


def closing(place: str, digest: str) -> str:
    """The target of the PUT that ends an upload."""
    return f"{place}{'&' if '?' in place else '?'}digest={digest}"


class Line:
    """One kept-alive connection, blocking; for blobs of any size and for single questions."""

    def __init__(self, address: Address, fields: bytes = b"") -> None:
        self.host = f"{address[0]}:{address[1]}"
        self.fields = fields
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Not settimeout(): it makes the descriptor non-blocking, and each sendfile would need a poll.
        patience = struct.pack("ll", PATIENCE, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def ask(self, method: str, target: str, fields: bytes = b"", body: bytes | None = None) -> Answer:
        self.socket.sendall(message(method, target, self.host, self.fields + fields, body))
        return self.answer(bodiless=method == "HEAD")

    def answer(self, bodiless: bool = False) -> Answer:
        answer, rest = self._head()
        if bodiless:
            return answer
        body = bytearray(rest)
        while len(body) < answer.length:
            body += self._receive()
        return Answer(answer.status, answer.head, bytes(body))

    def send(self, method: str, target: str, fields: bytes, parts: list[int | bytes]) -> Answer:
        """Sends a body of `parts`: bytes, or a descriptor of a file to send whole without copying."""
        try:
            self.socket.sendall(message(method, target, self.host, self.fields + fields))
            for part in parts:
                if isinstance(part, bytes):
                    self.socket.sendall(part)
                else:
                    self._send_file(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the end: the answer says why
        return self.answer()

    def pull(self, target: str, checked: bool = False) -> tuple[int, str]:
        """Reads a body and drops it; returns its size and, when `checked`, its digest."""
        self.socket.sendall(message("GET", target, self.host, self.fields))
        answer, rest = self._head()
        answer.expect(200, f"GET {target}")
        left, window, digest = answer.length - len(rest), memoryview(bytearray(WINDOW)), sha256(rest)
        while left:
            if not (count := self.socket.recv_into(window)):
                raise Unexpected(f"GET {target}: cut off {left} bytes before its end")
            left -= count
            if checked:
                digest.update(window[:count])
        return answer.length, f"sha256:{digest.hexdigest()}" if checked else ""

    def _head(self) -> tuple[Answer, bytes]:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        return parse(data[: end + 2]), data[end + 4 :]

    def _receive(self) -> bytes:
        if not (data := self.socket.recv(65536)):
            raise Unexpected("the connection was closed instead of an answer")
        return data

    def _send_file(self, file: int) -> None:
        size, sent = os.fstat(file).st_size, 0
        while sent < size:
            sent += os.sendfile(self.socket.fileno(), file, sent, size - sent)


class Stream:
    """One kept-alive connection, asynchronous; for many small requests at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, address: Address) -> Self:
        return cls(*await asyncio.open_connection(*address))

    async def ask(self, request: bytes) -> Answer:
        """Sends a whole request made by `message` and returns its answer."""
        self.writer.write(request)
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            answer = parse(head[:-2])
            if request.startswith(b"HEAD "):
                return answer
            return Answer(answer.status, answer.head, await self.reader.readexactly(answer.length))

    def close(self) -> None:
        self.writer.close()
