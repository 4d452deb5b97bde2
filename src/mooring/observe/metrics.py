"""What this process counts and measures for `/metrics`; `catalogue` says what each metric means."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from mooring import __version__
from mooring.errors import MooringError
from mooring.observe import catalogue
from mooring.observe.catalogue import Described, Kind
from mooring.observe.metrics_directory import VARIABLE
from mooring.observe.tallies import Tallies
from mooring.refusals import Reason

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
KEY_STATES = ("pending", "active", "retiring")


class Metrics:
    """prometheus_client must find PROMETHEUS_MULTIPROC_DIR set before it is imported: `serve` sees to that.

    `replica` is the name that the whole server was given: a worker's own would be new with each start.
    """

    def __init__(self, replica: str, seconds: Callable[[], float] = time.time) -> None:
        """`seconds` tells cluster time."""
        self._registry = CollectorRegistry()
        self._replica = replica
        self._seconds = seconds
        self._checks: set[str] = set()
        self._tallies = Tallies(LATENCIES)
        self._made = {each.name: self._make(each) for each in catalogue.METRICS if _is_own(each)}
        self.running = 0
        """Requests under way."""
        self._requests, self._latency = self._made[catalogue.REQUESTS.name], self._made[catalogue.LATENCY.name]
        self._received, self._sent = self._made[catalogue.RECEIVED.name], self._made[catalogue.SENT.name]
        self._refusals = {reason: self._of(catalogue.REFUSALS).labels(reason, replica) for reason in Reason}
        self._of(catalogue.COLLECTED_BYTES).inc(0)
        # From 0 on: Prometheus does not see a counter's first step otherwise.
        for code in sorted(_codes(MooringError)):
            self._of(catalogue.FAILURES).labels(code)
        for outcome in ("ok", "failed"):
            self._of(catalogue.PROBES).labels(outcome)
        for kind in ("read", "write"):
            self._of(catalogue.DATABASE_FAILURES).labels(kind)
        self._of(catalogue.BUILD).labels(__version__).set(1)

    def request(self, method: str, route: str, status: int, seconds: float, received: int = 0, sent: int = 0) -> None:
        """Bytes are those of the bodies."""
        tallies, of_route = self._tallies, (route,)
        tallies.add(self._requests, (method if method in METHODS else "other", route, str(status)), 1)
        tallies.observe(self._latency, of_route, seconds)
        if received:
            tallies.add(self._received, of_route, received)
        if sent:
            tallies.add(self._sent, of_route, sent)

    def refusal(self, reason: Reason) -> None:
        self._refusals[reason].inc()

    def failure(self, code: str) -> None:
        self._of(catalogue.FAILURES).labels(code).inc()

    def transaction(self, kind: str, seconds: float, failed: bool) -> None:
        self._tallies.observe(self._of(catalogue.DATABASE_SECONDS), (kind,), seconds)
        if failed:
            self._of(catalogue.DATABASE_FAILURES).labels(kind).inc()

    def stored(self, operation: str, seconds: float, failed: bool) -> None:
        self._tallies.observe(self._of(catalogue.STORE_SECONDS), (operation,), seconds)
        if failed:
            self._of(catalogue.STORE_FAILURES).labels(operation).inc()

    def present(self, role: str, configuration_version: int) -> None:
        self._of(catalogue.WORKERS).labels(role).set(1)
        self._of(catalogue.RUNNING).set(self.running)
        self._of(catalogue.CONFIGURATION_VERSION).set(configuration_version)

    def checks(self, failed: Mapping[str, str], seconds: Mapping[str, float]) -> None:
        """All checks with how long they took, and the failed ones."""
        self._of(catalogue.READY).set(0 if failed else 1)
        for name, took in seconds.items():
            self._of(catalogue.CHECK_SECONDS).labels(name).set(took)
        self._checks.update(seconds, failed)
        for name in self._checks:
            self._of(catalogue.CHECK_FAILED).labels(name).set(1 if name in failed else 0)

    def connections(self, used: int, most: int) -> None:
        for state, number in (("used", used), ("most", most)):
            self._of(catalogue.DATABASE_CONNECTIONS).labels(state).set(number)

    def clock(self, offset_seconds: float, error_seconds: float) -> None:
        self._of(catalogue.CLOCK_OFFSET).labels(self._replica).set(offset_seconds)
        self._of(catalogue.CLOCK_ERROR).labels(self._replica).set(error_seconds)

    def keys(self, ages: Mapping[str, list[float]], life_seconds: float) -> None:
        """The ages, in seconds, of the keys in each state."""
        for state in KEY_STATES:
            found = ages.get(state, [])
            self._of(catalogue.KEYS).labels(state, self._replica).set(len(found))
            self._of(catalogue.KEY_AGE).labels(state).set(min(found, default=0))
        self._of(catalogue.KEY_LIFE).set(life_seconds)

    def collected(self, kind: str, number: int) -> None:
        if number:
            self._of(catalogue.COLLECTED).labels(kind).inc(number)

    def freed(self, size: int) -> None:
        """Bytes."""
        self._of(catalogue.COLLECTED_BYTES).inc(size)

    def worked(self, work: str, outcome: str, seconds: float) -> None:
        """`outcome` is done or failed."""
        self._of(catalogue.WORK).labels(work, outcome).inc()
        self._of(catalogue.WORK_SECONDS).labels(work).set(seconds)
        if outcome == "done":
            self._of(catalogue.WORK_SUCCESS).labels(work).set(self._seconds())

    def probed(self, outcome: str) -> None:
        """`outcome` is ok or failed."""
        self._of(catalogue.PROBES).labels(outcome).inc()

    def last_probe(self, *, failed: bool, seconds: float, succeeded_at: float | None) -> None:
        """What all replicas know of the last one, whoever made it. `succeeded_at` is cluster time in seconds."""
        self._of(catalogue.PROBE_FAILED).set(failed)
        self._of(catalogue.PROBE_SECONDS).set(seconds)
        if succeeded_at is not None:
            self._of(catalogue.PROBE_SUCCESS).set(succeeded_at)

    def hand_over(self) -> None:
        """On the event loop, before an `exposition`: let that have what was counted this moment."""
        self._tallies.hand_over()

    def exposition(self) -> bytes:
        """All workers' metrics in Prometheus' text format; without a directory of theirs, this process' own."""
        if not os.environ.get(VARIABLE):
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types there
        return generate_latest(registry)

    def _of(self, described: Described) -> Any:
        return self._made[described.name]

    def _make(self, described: Described) -> Any:
        given = (described.name.removesuffix("_total"), described.meaning, described.labels)
        match described.kind:
            case Kind.COUNTER:
                return Counter(*given, registry=self._registry)
            case Kind.HISTOGRAM:
                return Histogram(*given, registry=self._registry, buckets=LATENCIES)
        # The library lists its modes as literals, which no enumeration's value is.
        mode: Any = described.joined.value
        return Gauge(*given, registry=self._registry, multiprocess_mode=mode)


def _codes(kind: type[MooringError]) -> set[str]:
    """Of all errors that the registry itself is to blame for."""
    own = {kind.code} if kind.status >= 500 else set()
    return own.union(*map(_codes, kind.__subclasses__()))


def _is_own(described: Described) -> bool:
    """Whether a process has a part in it, rather than the database the whole."""
    return described.kind is not Kind.GAUGE or bool(described.joined)
