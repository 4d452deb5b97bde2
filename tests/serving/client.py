"""One client and a real connection of the server's to it, in one loop, with an application as small as a test needs."""

import asyncio
import socket
import warnings
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import uvloop
from starlette.types import ASGIApp

from mooring.http.prepared import Quick
from mooring.server.connection import Connection
from mooring.server.serving import Served, Serving

PATIENCE = 20
Result = TypeVar("Result")


def run(what: Coroutine[Any, Any, Result]) -> Result:
    """On uvloop, as workers do. Whatever the loop would only log is a failure."""
    faults: list[dict[str, Any]] = []

    async def watched() -> Result:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        async with asyncio.timeout(PATIENCE):
            return await what

    with warnings.catch_warnings(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # A test that fails leaves sockets behind, and uvloop hangs where that is an error.
        warnings.simplefilter("ignore", ResourceWarning)
        result = runner.run(watched())
    assert faults == []
    return result


@dataclass
class Client:
    """Reads and writes bytes."""

    socket: socket.socket
    serving: Serving
    connection: Connection
    now: float = 0.0
    """What the server takes for the time: no test waits for it to pass."""

    async def send(self, data: bytes) -> None:
        """All of it, or what is taken before the server closes."""
        try:
            await asyncio.get_running_loop().sock_sendall(self.socket, data)
        except (BrokenPipeError, ConnectionResetError):
            return

    async def receive(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self.socket, 1 << 20)
        except ConnectionResetError:
            return b""

    async def until(self, ending: bytes) -> bytes:
        found = b""
        while not found.endswith(ending):
            piece = await self.receive()
            assert piece, f"closed after {found!r}"
            found += piece
        return found

    async def rest(self) -> bytes:
        """Until the server closes."""
        found = b""
        while piece := await self.receive():
            found += piece
        return found

    async def all(self, data: bytes) -> bytes:
        """What comes back for it, until the server closes."""
        sending = asyncio.ensure_future(self.send(data))
        found = await self.rest()
        sending.cancel()
        return found

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.serving.expire()


@asynccontextmanager
async def connected(application: ASGIApp, quick: Quick | None = None, *, at_once: bool = True) -> AsyncIterator[Client]:
    mine, its = socket.socketpair()
    mine.setblocking(False)
    its.setblocking(False)
    serving = Serving(Served(application, quick, at_once=at_once))
    with closing(mine):
        clock = Client(mine, serving, cast("Connection", None))
        serving.now = lambda: clock.now
        _, clock.connection = await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(serving), its)
        yield clock
        mine.close()
        # Every request ends, and so does the connection.
        await serving.end()


async def turns(count: int = 20) -> None:
    """Of the loop: each reads what came and runs what can go on."""
    for _ in range(count):
        await asyncio.sleep(0)
