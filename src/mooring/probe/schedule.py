"""The probe that the registry makes of itself: one process at a time, on a schedule, the way that a client goes."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row, delete, select

from mooring.cluster import heartbeat
from mooring.cluster.clock import DAY, SECOND, Clock
from mooring.cluster.configuration import Configuration
from mooring.database import Database, rows, short
from mooring.egress.client import Policy
from mooring.errors import MooringError
from mooring.observe.metrics import Metrics
from mooring.probe.account import REPOSITORY, close_account, open_account
from mooring.probe.probing import Plan, probe
from mooring.probe.push import Run
from mooring.probe.report import pair
from mooring.probe.tables import probes

log = structlog.get_logger("mooring")

SHOW_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 20.0
"""A server that has just started may not be served by its load balancer yet."""
ROUND_SECONDS: Final = 300.0
REQUEST_SECONDS: Final = 20.0
KEPT: Final = 7 * DAY
LONGEST_FAULT: Final = 2000
SHOWN: Final = 100


@dataclass(frozen=True)
class Round:
    """One that ended. Times are cluster time, microseconds."""

    started_at: int
    replica: str
    seconds: float
    pushes: int
    fault: str
    last_success_at: int | None


class Prober:
    def __init__(
        self, database: Database, clock: Clock, configuration: Configuration, replica: str, metrics: Metrics
    ) -> None:
        self._database = database
        self._clock = clock
        self._configuration = configuration
        self._replica = replica
        self._metrics = metrics
        self._began = time.monotonic()

    async def turn(self) -> None:
        """Probe where that is due. What it finds is a row, a log line and a metric, never an exception."""
        interval = self._configuration.settings.probe_interval_seconds
        if not interval or time.monotonic() - self._began < min(SETTLE_SECONDS, interval):
            return
        last = await self._database.read(newest)
        if last is not None and last.started_at + interval * SECOND > self._clock.now():
            return
        started = self._clock.now()
        runs: list[Run] = []
        fault = await self._probe(runs)
        seconds = max((run.seconds for run in runs), default=0.0)
        await self._database.write(note, started, self._replica, seconds, len(runs), fault[:LONGEST_FAULT])
        self._metrics.probed("failed" if fault else "ok")
        if fault:
            log.warning("probe_failed", fault=fault)
        await self.show()

    async def show(self) -> None:
        """What is known of the last round becomes this process's metrics."""
        last = await self._database.read(newest)
        if last is not None:
            success = None if last.last_success_at is None else last.last_success_at / SECOND
            self._metrics.last_probe(failed=bool(last.fault), seconds=last.seconds, succeeded_at=success)

    async def _probe(self, runs: list[Run]) -> str:
        """Why it failed; empty where it did not."""
        replicas = await self._database.read(addresses, self._clock.now())
        settings = self._configuration.settings
        url = settings.probe_url or settings.external_url or (replicas[0] if replicas else None)
        if url is None:
            return "There is nowhere to push to: set probe_url or external_url, or give the replicas their address."
        credentials = await self._database.write(open_account, self._clock.now())
        chosen = ((url, url), *ring(replicas))
        own = (settings.external_url,) if settings.external_url else ()
        plan = Plan(url, repository=REPOSITORY, credentials=credentials, chosen=chosen, own=own)
        policy = Policy(private=True, timeout_seconds=REQUEST_SECONDS)
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                await probe(plan, policy, runs.append)
        except TimeoutError:
            return f"It did not end within {ROUND_SECONDS:g} seconds."
        except MooringError as error:
            return error.text
        finally:
            # What is left of it is swept by a later round.
            with suppress(MooringError):
                await self._database.write(close_account, credentials.name)
        return "\n".join(
            f"{pair(run)}: {run.fault.name} at {run.fault.endpoint}: {run.fault.fault}" for run in runs if run.fault
        )


def look_seconds(configuration: Configuration) -> float:
    """How long until it is looked whether a round is due."""
    return min(LOOK_SECONDS, configuration.settings.probe_interval_seconds or LOOK_SECONDS)


def ring(endpoints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each with the next one, in an order by chance: so many pushes as there are replicas, and in time all pairs."""
    shuffled = random.sample(endpoints, len(endpoints))
    return tuple(zip(shuffled, [*shuffled[1:], *shuffled[:1]], strict=True))


def addresses(connection: Connection, now: int) -> Sequence[str]:
    """Of the servers that live and are ready: others get no requests."""
    known = [each for each in heartbeat.known(connection) if each.alive(now) and each.pulse.role == heartbeat.SERVER]
    return sorted({each.pulse.address for each in known if each.pulse.ready and each.pulse.address})


_BY_TIME = select(probes).order_by(probes.c.started_at.desc())
_NEWEST = _BY_TIME.limit(1)


@short
def newest(connection: Connection) -> Round | None:
    row = connection.execute(_NEWEST).first()
    return None if row is None else _round(row)


def last(connection: Connection) -> Sequence[Round]:
    """Newest first."""
    return [_round(row) for row in connection.execute(_BY_TIME.limit(SHOWN))]


def _round(row: Row[Any]) -> Round:
    return Round(row.started_at, row.replica, row.seconds, row.pushes, row.fault, row.last_success_at)


def note(connection: Connection, started: int, replica: str, seconds: float, pushes: int, fault: str) -> None:
    before = newest(connection)
    success = (before.last_success_at if before else None) if fault else started
    row = {"started_at": started, "replica": replica, "seconds": seconds, "pushes": pushes, "fault": fault}
    rows.add(connection, probes, {**row, "last_success_at": success})
    connection.execute(delete(probes).where(probes.c.started_at < started - KEPT))
