"""Requests to a real server, each on a connection of its own: any worker may answer."""

from collections.abc import Iterable
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.http.site import Reply


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
