"""When a process works for the cluster, and when it leaves that to others."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from mooring.cluster import heartbeat
from mooring.cluster.clock import Clock
from mooring.cluster.readiness import Readiness
from mooring.database import Database
from mooring.settings import Settings

log = structlog.get_logger("mooring")

LOOK_SECONDS = 5.0

Engine = Callable[[], Coroutine[Any, Any, None]]
"""Works until it is cancelled."""


class Turns:
    def __init__(
        self, engine: Engine, settings: Settings, database: Database, clock: Clock, readiness: Readiness
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._database = database
        self._clock = clock
        self._readiness = readiness
        self._working: asyncio.Task[None] | None = None

    async def turn(self, *, worker: bool = False) -> None:
        """Begin to work, or leave off. `worker` is a process that is there for nothing else."""
        mine = not self._readiness.wrong() and (worker or await self._needed())
        if self._working is not None and self._working.done():
            log.error("work_ended", error=repr(self._working.exception()))
            self._working = None
        if mine and self._working is None:
            self._working = asyncio.create_task(self._engine(), name="work")
        elif not mine:
            await self.rest()

    async def rest(self) -> None:
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.wait([working])

    async def _needed(self) -> bool:
        """Whether a process that serves works too. Raises Unavailable: then all stays as it is."""
        if self._settings.jobs != "auto" or not self._settings.database_is_shared:
            return self._settings.jobs != "off"
        return not await self._database.read(heartbeat.worker_lives, self._clock.now())
