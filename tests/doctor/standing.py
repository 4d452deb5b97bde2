"""Stand-ins that a program can ask: they run in threads of their own."""

import socketserver
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from anyio.from_thread import start_blocking_portal

from tests.doctor.harbor import Harbor, served


@contextmanager
def standing(harbor: Harbor) -> Iterator[Harbor]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_serving(harbor)):
        yield harbor


@asynccontextmanager
async def _serving(harbor: Harbor) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await served(harbor, stack)
        yield


@dataclass(frozen=True)
class Answering:
    port: int
    heard: list[str] = field(default_factory=list)
    """Every line that was sent to it, in lower case."""


@contextmanager
def answering(content: bytes) -> Iterator[Answering]:
    """A server that says the same to everybody."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline().decode().strip().lower():
                running.heard.append(line)
            self.wfile.write(content)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        running = Answering(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join(10)
