"""Tells that the database does not answer: the one condition of which no row can be kept.

Each server tells for itself, by one of its processes, from memory. The lock that says which one is a file beside it,
and the kernel gives that of a dead one to the next.
"""

import asyncio
import fcntl
import os
import secrets
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from mooring.cluster import identity, naming
from mooring.cluster.clock import SECOND, Clock
from mooring.cluster.configuration import Configuration
from mooring.cluster.readiness import Readiness
from mooring.database import Database
from mooring.observe.alerts import channels
from mooring.observe.alerts.channels import Undelivered
from mooring.observe.alerts.conditions import DATABASE_FAILING
from mooring.observe.alerts.forms import sender_of
from mooring.observe.alerts.notices import GIVEN_UP, Notice
from mooring.observe.alerts.state import FIRING, RESOLVED

log = structlog.get_logger("mooring")

LOOK_SECONDS: Final = 2.0
FIRST_PAUSE: Final = 10.0
LONGEST_PAUSE: Final = 600.0
CHECK: Final = "database"


@dataclass
class _Telling:
    """One channel's notice, until it came through."""

    notice: Notice
    due: float = 0.0
    told: bool = False


class Outage:
    def __init__(
        self, database: Database, clock: Clock, configuration: Configuration, readiness: Readiness, name: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._configuration = configuration
        self._readiness = readiness
        self._name = name
        self._cluster_id = ""
        self._since: float | None = None
        self._lock: int | None = None
        self._telling: list[_Telling] = []
        self._ending: list[_Telling] = []

    async def turn(self) -> None:
        reason = None if self._readiness.wrong() else self._readiness.failures().get(CHECK)
        if reason is None:
            await self._recovered()
        else:
            self._lasts(reason)
        await self._tell()
        if reason is None and not self._ending:
            self.release()

    def _lasts(self, reason: str) -> None:
        self._since = self._since or time.monotonic()
        lasted = time.monotonic() - self._since
        if lasted < self._configuration.settings.alert_delay_seconds or not self._mine() or self._telling:
            return
        text = f"{self._name} has had no answer from the database for {lasted:.0f} seconds: {reason}"
        self._telling = [_Telling(self._notice(channel, text, lasted)) for channel in self._channels()]

    def release(self) -> None:
        if self._lock is not None:
            _lock_file().unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    async def _recovered(self) -> None:
        # Whom it did not reach while it lasted need not hear of its end.
        ended = [each.notice for each in self._telling if each.told]
        self._telling, self._since = [], None
        for each in ended:
            over = replace(each, id=secrets.token_hex(16), event=RESOLVED, at=self._clock.now(), attempts=1)
            self._ending.append(_Telling(over))
        self._cluster_id = self._cluster_id or await self._database.read(identity.cluster_id)

    async def _tell(self) -> None:
        many = [*self._ending, *self._telling]
        due = [each for each in many if not each.told and each.due <= time.monotonic()]
        await asyncio.gather(*(self._send(each) for each in due))
        oldest = self._clock.now() - GIVEN_UP
        self._ending = [each for each in self._ending if not each.told and each.notice.at > oldest]

    async def _send(self, telling: _Telling) -> None:
        settings, notice = self._configuration.settings, telling.notice
        try:
            await channels.send(notice, sender_of(self._cluster_id, settings), settings)
            telling.told = True
        except Undelivered as error:
            log.warning("alert_undelivered", channel=notice.channel, error=str(error), given_up=False)
            pause = min(FIRST_PAUSE * 2 ** (notice.attempts - 1), LONGEST_PAUSE)
            telling.due = time.monotonic() + pause
            telling.notice = replace(notice, attempts=notice.attempts + 1)

    def _channels(self) -> list[str]:
        return channels.configured(self._configuration.settings)

    def _notice(self, channel: str, text: str, lasted: float) -> Notice:
        now = self._clock.now()
        return Notice(
            id=secrets.token_hex(16),
            alert_id=0,
            channel=channel,
            event=FIRING,
            condition=DATABASE_FAILING.name,
            severity=DATABASE_FAILING.severity,
            subject=self._name,
            text=text,
            remedy=DATABASE_FAILING.remedy,
            since=now - int(lasted * SECOND),
            at=now,
        )

    def _mine(self) -> bool:
        """Whether this process is the one of its server that tells."""
        if self._lock is not None:
            return True
        descriptor = os.open(_lock_file(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True


def _lock_file() -> Path:
    return Path(tempfile.gettempdir()) / f"mooring-outage-{naming.server()}"
