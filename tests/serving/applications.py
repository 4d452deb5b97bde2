"""Applications of a few lines, and what they saw."""

from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from mooring.http.prepared import Answer, Headers


@dataclass
class Seen:
    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes | None = None
    """None where nobody read it, or it was never whole."""


@dataclass
class Echo:
    """Takes each body and answers with how often it was asked."""

    seen: list[Seen] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = Seen(scope["method"], scope["path"], scope["query_string"], list(scope["headers"]))
        self.seen.append(seen)
        number = len(self.seen)
        seen.body = await body(receive)
        if seen.body is not None:
            await answer(send, 200, str(number).encode())

    def quick(self, method: str, path: str, headers: Headers) -> Coroutine[Any, Any, Answer | None] | None:
        """What an answer on the shorter way sees."""
        return self._quickly(method, path, headers) if "quick" in path else None

    async def _quickly(self, method: str, path: str, headers: Headers) -> Answer:
        self.seen.append(Seen(method, path, b"", list(headers)))
        content = str(len(self.seen)).encode()
        return Answer(200, b"content-length: %d\r\n" % len(content), b"" if method == "HEAD" else content)


async def body(receive: Receive) -> bytes | None:
    found = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        found += message["body"]
        if not message["more_body"]:
            return bytes(found)


async def answer(send: Send, status: int, *parts: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """In one piece, or in as many as are given."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    last = len(parts) - 1
    for number, part in enumerate(parts):
        await send({"type": "http.response.body", "body": part, "more_body": number < last})
