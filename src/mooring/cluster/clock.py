"""Cluster time: the database's clock, carried forward on this machine's monotonic clock.

A replica whose wall clock is hours off, or jumps, still issues and accepts the right tokens.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from mooring.database import Database
from mooring.database.time import database_time

SECOND = 1_000_000
DAY = 86_400 * SECOND

# Counts through a suspended machine's sleep, which CLOCK_MONOTONIC does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True)
class Sample:
    """What the database's clock said, when by our monotonic clock, and how wrong that can be. Microseconds."""

    time: int
    monotonic: int
    error: int


class Clock:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._sample = database.read_now(_take)

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        sample = self._sample
        return sample.time + monotonic() - sample.monotonic

    def seconds(self) -> int:
        return self.now() // SECOND

    @property
    def error(self) -> int:
        return self._sample.error

    @property
    def wall_offset(self) -> int:
        """How far this machine's wall clock is ahead of cluster time, in microseconds."""
        return time.time_ns() // 1000 - self.now()

    def synchronise(self) -> None:
        self._sample = self._database.read_now(_take)

    async def follow(self) -> None:
        """The same from the event loop, which a database that hangs must not hold up."""
        self._sample = await self._database.read(_take)


def _take(connection: Connection) -> Sample:
    """Around the one question, so that waiting for a connection or a thread widens no error."""
    before = monotonic()
    found = database_time(connection)
    after = monotonic()
    return Sample(time=found, monotonic=(before + after) // 2, error=(after - before) // 2)


def rfc3339(microseconds: int) -> str:
    moment = datetime.fromtimestamp(microseconds / SECOND, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def monotonic() -> int:
    return time.clock_gettime_ns(_CLOCK) // 1000
