"""What `/metrics` shows, over all worker processes. No label grows with users or names."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from mooring.refusals import Reason

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """prometheus_client must find PROMETHEUS_MULTIPROC_DIR set before it is imported: `serve` sees to that."""

    def __init__(self, replica: str) -> None:
        registry = CollectorRegistry()
        self._replica = replica
        self._requests = Counter(
            "mooring_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self._latency = Histogram(
            "mooring_request_seconds", "Time to answer", ["route"], buckets=LATENCIES, registry=registry
        )
        self._refusals = Counter(
            "mooring_refusals", "Requests refused, by reason", ["reason", "replica"], registry=registry
        )
        self._clock_offset = Gauge(
            "mooring_clock_offset_seconds",
            "Wall clock of this replica ahead of cluster time",
            ["replica"],
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._clock_error = Gauge(
            "mooring_clock_error_seconds",
            "Bound on the error of cluster time",
            ["replica"],
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._keys = Gauge(
            "mooring_signing_keys",
            "Signing keys loaded",
            ["state", "replica"],
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._collected = Counter("mooring_collected", "Things that collection removed", ["kind"], registry=registry)
        self._work = Counter(
            "mooring_work", "Rounds of background work, by how they ended", ["work", "outcome"], registry=registry
        )
        self._probes = Counter(
            "mooring_probe_runs", "Scheduled probes, by how they ended", ["outcome"], registry=registry
        )
        self._probe_success = Gauge(
            "mooring_probe_last_success_timestamp_seconds",
            "Cluster time of the last scheduled probe that found nothing wrong",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._probe_seconds = Gauge(
            "mooring_probe_seconds",
            "Time that the slowest push of the last scheduled probe took",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._probe_failed = Gauge(
            "mooring_probe_last_failed",
            "Whether the last scheduled probe failed",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        for reason in Reason:
            self._refusals.labels(reason, replica)
        for outcome in ("ok", "failed"):
            self._probes.labels(outcome)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def refusal(self, reason: Reason) -> None:
        self._refusals.labels(reason, self._replica).inc()

    def clock(self, offset_seconds: float, error_seconds: float) -> None:
        self._clock_offset.labels(self._replica).set(offset_seconds)
        self._clock_error.labels(self._replica).set(error_seconds)

    def keys(self, states: dict[str, int]) -> None:
        for state, number in states.items():
            self._keys.labels(state, self._replica).set(number)

    def collected(self, kind: str, number: int) -> None:
        if number:
            self._collected.labels(kind).inc(number)

    def worked(self, work: str, outcome: str) -> None:
        """`outcome` is done or failed."""
        self._work.labels(work, outcome).inc()

    def probed(self, outcome: str) -> None:
        """`outcome` is ok or failed."""
        self._probes.labels(outcome).inc()

    def last_probe(self, *, failed: bool, seconds: float, succeeded_at: float | None) -> None:
        """What all replicas know of the last one, whoever made it. `succeeded_at` is cluster time in seconds."""
        self._probe_failed.set(failed)
        self._probe_seconds.set(seconds)
        if succeeded_at is not None:
            self._probe_success.set(succeeded_at)


def exposition() -> bytes:
    """All workers' metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
