"""What all connections of one worker share."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from starlette.types import ASGIApp

from mooring.http.prepared import Quick
from mooring.server.cycle import Cycle, Quicker
from mooring.server.room import Room
from mooring.server.shares import Share

WATCH_SECONDS = 1.0
TAKING_SECONDS = 30.0
"""For clients to take the ends of their answers, when no more is to be said."""


class Client(Protocol):
    deadline: float

    def finish(self) -> None: ...

    def expire(self) -> None: ...


@dataclass(frozen=True)
class Served:
    """What a worker serves: `quick` is asked first, where a request has neither a query nor escapes."""

    application: ASGIApp
    quick: Quick | None = None
    at_once: bool = False
    """Whether `quick` never waits: then it needs no task."""


class Serving:
    def __init__(self, served: Served, share: Share | None = None) -> None:
        self.share = share
        self.quick = served.quick
        self.at_once = served.at_once
        self.is_ending = False
        self.room = Room()
        self._connections: set[Client] = set()
        self._none_left = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._application = served.application
        self._tasks: set[asyncio.Task[None]] = set()
        self.now = self._loop.time
        self._tell()

    def enter(self, connection: Client) -> None:
        self._connections.add(connection)
        self._tell()
        if self.is_ending:
            connection.finish()

    def leave(self, connection: Client) -> None:
        self._connections.discard(connection)
        self._tell()
        if self.is_ending and not self._connections:
            self._none_left.set()

    def _tell(self) -> None:
        if self.share is not None:
            self.share.tell(len(self._connections))

    def start(self, cycle: Cycle, quick: Quicker | None = None) -> None:
        task = self._loop.create_task(cycle.run(self._application, quick))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def expire(self) -> None:
        """Leave those who did not say in time what they want."""
        now = self.now()
        for connection in [each for each in self._connections if each.deadline < now]:
            connection.expire()

    async def end(self) -> None:
        """No further request is taken; what is under way is finished."""
        self.is_ending = True
        for connection in list(self._connections):
            connection.finish()
        while self._tasks:
            await asyncio.wait(self._tasks)
        until = self.now() + TAKING_SECONDS
        while self._connections and self.now() < until:
            self.expire()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), WATCH_SECONDS)
