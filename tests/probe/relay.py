"""A host in front of a registry that does to its answers what a test wants, and a bucket on another host."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.server import HOST

HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]


Change = Callable[[Asked, Answer], Answer]


@dataclass
class Host:
    port: int
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@contextmanager
def relay(registry: str, change: Change) -> Iterator[Host]:
    """Answers as the registry does, changed."""
    upstream = urlsplit(registry)

    def answer(asked: Asked, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=30)
        try:
            kept = {name: value for name, value in asked.headers.items() if name not in HOP}
            connection.request(asked.method, asked.path, body, kept)
            found = connection.getresponse()
            headers = [(name, value) for name, value in found.getheaders() if name.lower() not in HOP]
            return change(asked, Answer(found.status, headers, found.read()))
        finally:
            connection.close()

    with host(answer) as made:
        yield made


@contextmanager
def host(answer: Callable[[Asked, bytes], Answer]) -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
            made.asked.append(asked)
            given = answer(asked, self.rfile.read(int(self.headers.get("content-length") or 0)))
            self.send_response(given.status)
            for name, value in given.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(given.body)))
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, *_: object) -> None: ...

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    server = ThreadingHTTPServer((HOST, 0), Handler)
    made = Host(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
