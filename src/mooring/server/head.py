"""The first lines of an answer, as bytes."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from mooring.http.prepared import Answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS = frozenset({204, 304})
"""Answers that have no body, whatever the request was (RFC 9110, sections 15.3.5 and 15.4.5)."""


def status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


STATUS_LINES = {status: status_line(status) for status in range(200, 600)}


def head(status: int, headers: Iterable[tuple[bytes, bytes]], ending: bytes) -> bytes:
    """`ending` are further lines. Raises ValueError for a header that would break out of its line."""
    lines = [b"%b: %b\r\n" % header for header in headers]
    fields = b"".join(lines)
    if fields.count(b"\n") != len(lines) or fields.count(b"\r") != len(lines) or b"\0" in fields:
        raise ValueError("a header has a line break")
    return b"%b%bdate: %b\r\n%b\r\n" % (STATUS_LINES[status], fields, _date(int(time.time())), ending)


def whole(answer: Answer, ending: bytes) -> bytes:
    """An answer whose fields are known to be sound."""
    date = _date(int(time.time()))
    return b"%b%bdate: %b\r\n%b\r\n%b" % (STATUS_LINES[answer.status], answer.fields, date, ending, answer.body)


@lru_cache(1)
def _date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode("ascii")
