"""Answers whose headers are bytes already: to encode six of them takes as long as to look up what they tell."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]


Quick = Callable[[str, str, Headers], "Coroutine[Any, Any, Answer | None] | None"]
"""(method, path, headers): a shorter way to an answer than the application's, where there is one; None of either leaves
it to the application."""


class Answer(NamedTuple):
    """A whole answer that is sent at once."""

    status: int
    fields: bytes
    """Lines, each with its end."""
    body: bytes


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


class Prepared(Response):
    def __init__(self, status_code: int, headers: Headers, body: bytes = b"") -> None:
        """`headers` go out as they are, with lower-case names: nothing is added to them, also no length."""
        self.status_code = status_code
        self.raw_headers = headers
        self.body = body
        self.background = None


def is_known(scope: Scope, digest: bytes) -> bool:
    """Whether the client has this content already, by `If-None-Match` (RFC 9110, section 13.1.2)."""
    return any(name == b"if-none-match" and b'"%b"' % digest in value for name, value in scope["headers"])
