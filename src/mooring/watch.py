"""What `/metrics` says beyond what was counted: how this process is, and how the whole cluster is."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector as Shown
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from mooring.access import refresh
from mooring.cluster import heartbeat
from mooring.cluster.clock import SECOND, Clock
from mooring.cluster.configuration import Configuration, newest
from mooring.cluster.readiness import Readiness
from mooring.database import Database, procrastinate
from mooring.database.rows import Backlog
from mooring.errors import MooringError
from mooring.observe import catalogue
from mooring.observe.catalogue import Described
from mooring.observe.metrics import Metrics
from mooring.registry.backlog import backlogs

KEPT_SECONDS = 1.0
"""Whoever asks all the time costs the database one look a second."""

PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Sample:
    """What the database says of the cluster."""

    replicas: Mapping[tuple[str, str], int]
    """How many by role and state."""
    configuration_version: int
    queues: Mapping[str, Backlog]


class Watch:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        configuration: Configuration,
        readiness: Readiness,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._clock = clock
        self._configuration = configuration
        self._readiness = readiness
        self._metrics = metrics
        self._asking = asyncio.Lock()
        self._sample: Sample | None = None
        self._asked_at = float("-inf")

    def note(self, role: str) -> None:
        """How this process is at this moment."""
        self._metrics.present(role, self._configuration.version)
        self._metrics.checks(self._readiness.failures(), self._readiness.seconds)
        self._metrics.connections(*self._database.connections())

    async def told(self) -> bytes:
        """All of it, in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(Told(await self._sampled()))
        self._metrics.hand_over()
        # Some milliseconds over the files of all workers: not on the event loop.
        return await asyncio.to_thread(self._metrics.exposition) + generate_latest(registry)

    async def _sampled(self) -> Sample | None:
        async with self._asking:
            if time.monotonic() - self._asked_at > KEPT_SECONDS:
                self._sample = await self._ask()
                self._asked_at = time.monotonic()
            return self._sample

    async def _ask(self) -> Sample | None:
        """None from a database that does not answer, or has another schema: what fails there, its check says."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._database.read(self._look)
        except (MooringError, SQLAlchemyError, TimeoutError):
            return None

    def _look(self, connection: Connection) -> Sample:
        now = self._clock.now()
        living = [replica.pulse for replica in heartbeat.known(connection) if replica.alive(now)]
        states = Counter((pulse.role, "ready" if pulse.ready else "not_ready") for pulse in living)
        version = newest(connection)
        waiting = backlogs(connection, now, self._configuration.settings)
        queues = {**waiting, "refresh_tokens": refresh.backlog(connection, now)}
        if connection.dialect.name == "postgresql":
            queues["jobs"] = procrastinate.backlog(connection, now)
        return Sample(states, version.number if version else 0, queues)


class Told(Shown):
    """A sample for prometheus_client."""

    def __init__(self, sample: Sample | None) -> None:
        self._sample = sample

    def collect(self) -> Iterator[GaugeMetricFamily]:
        sampled = _family(catalogue.SAMPLED)
        sampled.add_metric([], 0 if self._sample is None else 1)
        yield sampled
        if self._sample is not None:
            yield from _families(self._sample)


def _families(sample: Sample) -> Iterator[GaugeMetricFamily]:
    replicas = _family(catalogue.REPLICAS)
    for role in (heartbeat.SERVER, heartbeat.WORKER):
        for state in ("ready", "not_ready"):
            replicas.add_metric([role, state], sample.replicas.get((role, state), 0))
    version = _family(catalogue.CLUSTER_CONFIGURATION)
    version.add_metric([], sample.configuration_version)
    due, lag = _family(catalogue.QUEUE_DUE), _family(catalogue.QUEUE_LAG)
    for name, queue in sample.queues.items():
        due.add_metric([name], queue.waiting)
        lag.add_metric([name], queue.behind / SECOND)
    yield from (replicas, version, due, lag)


def _family(described: Described) -> GaugeMetricFamily:
    return GaugeMetricFamily(described.name, described.meaning, labels=described.labels)
