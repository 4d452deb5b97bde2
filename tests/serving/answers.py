"""What came back over one connection, taken apart."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


def answers(data: bytes, methods: Sequence[str] = ()) -> list[Answer]:
    """Raises ValueError for what is not whole. The `methods` are those of the requests, as far as they matter."""
    found: list[Answer] = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        if not end:
            raise ValueError(f"half a head: {head!r}")
        first, *lines = head.split(b"\r\n")
        version, status, _ = first.split(b" ", 2)
        if version != b"HTTP/1.1":
            raise ValueError(f"no answer: {first!r}")
        headers = dict(line.split(b": ", 1) for line in lines)
        bodiless = int(status) in (100, 204, 304) or methods[len(found) : len(found) + 1] == ["HEAD"]
        body, data = (b"", data) if bodiless else _body(headers, data)
        found.append(Answer(int(status), headers, body))
    return found


def _body(headers: dict[bytes, bytes], data: bytes) -> tuple[bytes, bytes]:
    """And what comes after it."""
    if headers.get(b"transfer-encoding") == b"chunked":
        return _chunks(data)
    if b"content-length" not in headers:
        return data, b""
    length = int(headers[b"content-length"])
    if len(data) < length:
        raise ValueError(f"{len(data)} bytes of {length}")
    return data[:length], data[length:]


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if data[length : length + 2] != b"\r\n":
            raise ValueError(f"a chunk without an end: {data[:100]!r}")
        body, data = body + data[:length], data[length + 2 :]
        if not length:
            return body, data
