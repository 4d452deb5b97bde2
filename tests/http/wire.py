"""Requests to a real server, each on a connection of its own: any worker may answer."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.http.site import Reply

STARTING_SECONDS = 60.0


def ask(
    url: str, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", seconds: float = 60
) -> Reply:
    """Send exactly these headers, beside Host and Content-Length. Raises OSError when nobody answers."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=seconds)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        found = [(name.lower(), value) for name, value in answer.getheaders()]
        return Reply(answer.status, found, answer.read())
    finally:
        connection.close()


class Line:
    """One connection that is kept: the same worker answers all that is asked on it."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=60)

    def ask(self, method: str, path: str, headers: Iterable[tuple[str, str]] = ()) -> Reply:
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            self._connection.putheader(name, value)
        self._connection.putheader("content-length", "0")
        self._connection.endheaders()
        answer = self._connection.getresponse()
        return Reply(answer.status, [(name.lower(), value) for name, value in answer.getheaders()], answer.read())

    def close(self) -> None:
        self._connection.close()


@contextmanager
def lines(url: str, replicas: int) -> Iterator[Sequence[Line]]:
    """A line to each of so many replicas. Fails when they are not all reached in time: one may still be starting."""
    with ExitStack() as stack:
        found: dict[str, Line] = {}
        end = time.monotonic() + STARTING_SECONDS
        while len(found) < replicas and time.monotonic() < end:
            line = Line(url)
            refusal = line.ask("GET", "/v2/", [("authorization", "Bearer of-nothing")])
            if found.setdefault(refusal.error["detail"]["replica"], line) is line:
                stack.callback(line.close)
            else:
                line.close()
        assert len(found) == replicas, f"{replicas} replicas are wanted, {sorted(found)} answered"
        yield list(found.values())
