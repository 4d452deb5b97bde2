"""One process that serves: takes connections from the socket that all workers share, until it is told to end."""

import asyncio
import signal
import socket
from contextlib import suppress

import structlog

from mooring.server.connection import Connection
from mooring.server.lifespan import lifespan
from mooring.server.serving import WATCH_SECONDS, Served, Serving
from mooring.server.shares import Share

BACKLOG = 2048
PAUSE_SECONDS = 1.0
LEAVING_SECONDS = 0.001
"""For a worker that rests to wake up."""

log = structlog.get_logger("mooring")


async def serve(served: Served, listener: socket.socket, share: Share | None = None) -> None:
    """Until SIGTERM, whenever it comes and however often; then until all that is under way is finished."""
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    async with lifespan(served.application):
        serving = Serving(served, share)
        door = Door(serving, listener)
        listener.listen(BACKLOG)
        door.open()
        while not ending.is_set():
            serving.expire()
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), WATCH_SECONDS)
        door.close()
        await serving.end()


class Door:
    """Takes one connection a turn of the loop, and leaves it to others for a moment where they have fewer.

    The socket is one for all: who knocks while a worker dies is let in by another one, and nobody is lost.
    """

    def __init__(self, serving: Serving, listener: socket.socket) -> None:
        self._serving = serving
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._entering: set[asyncio.Task[object]] = set()
        self._has_waited = False

    def open(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        share = self._serving.share
        if share is not None and share.is_larger and not self._has_waited:
            self._has_waited = True
            self._loop.remove_reader(self._listener)
            self._loop.call_later(LEAVING_SECONDS, self._open_again)
            return
        self._has_waited = False
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # There are no more descriptors, say: those who wait go on waiting.
            log.warning("no_connection_taken", error=str(error))
            self._loop.remove_reader(self._listener)
            self._loop.call_later(PAUSE_SECONDS, self._open_again)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        entering = self._loop.create_task(self._enter(connection))
        self._entering.add(entering)
        entering.add_done_callback(self._entering.discard)

    def _open_again(self) -> None:
        if self._listener.fileno() >= 0 and not self._serving.is_ending:
            self.open()

    async def _enter(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: Connection(self._serving), connection)
        except OSError:
            connection.close()
