"""Every metric that there is: what it is called, what it says, and what to do about it.

`docs/metrics.md` is made of this list. No label grows with users, projects or repositories.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Joined(StrEnum):
    """What becomes of the values that the worker processes of one server each have of a gauge.

    `live…` forgets those of a worker that died.
    """

    SUM = "livesum"
    LEAST = "livemin"
    MOST = "livemax"
    LATEST = "livemostrecent"
    HIGHEST_EVER = "max"
    LATEST_EVER = "mostrecent"
    SHARED = ""
    """Read from the database when it is asked for: every replica says the same."""


@dataclass(frozen=True)
class Described:
    name: str
    """As it is exposed: a counter's ends in `_total`."""
    labels: tuple[str, ...]
    unit: str
    meaning: str
    advice: str
    kind: Kind = Kind.COUNTER
    joined: Joined = Joined.SHARED


def counter(name: str, labels: str, unit: str, meaning: str, advice: str) -> Described:
    return Described(name, tuple(labels.split()), unit, meaning, advice)


def histogram(name: str, labels: str, meaning: str, advice: str) -> Described:
    return Described(name, tuple(labels.split()), "seconds", meaning, advice, Kind.HISTOGRAM)


def gauge(name: str, labels: str, unit: str, joined: Joined, meaning: str, advice: str) -> Described:
    return Described(name, tuple(labels.split()), unit, meaning, advice, Kind.GAUGE, joined)


REQUESTS = counter(
    "mooring_requests_total",
    "method route status",
    "requests",
    "Requests answered",
    "Look at the share of `status` 500 and above; `mooring_failures_total` says why.",
)
LATENCY = histogram(
    "mooring_request_seconds",
    "route",
    "Time to answer a request, with its body",
    "Large blobs take long. For `manifests`, `token` and `api` compare with `mooring_database_seconds`.",
)
RECEIVED = counter(
    "mooring_received_bytes_total",
    "route",
    "bytes",
    "Bytes of bodies received, counted when a request ends",
    "Pushes are in `uploads`.",
)
SENT = counter(
    "mooring_sent_bytes_total",
    "route",
    "bytes",
    "Bytes of bodies sent, counted when a request ends",
    "Pulls are in `blobs`. What clients fetch straight from a bucket is not in it.",
)
RUNNING = gauge(
    "mooring_requests_running",
    "",
    "requests",
    Joined.SUM,
    "Requests under way",
    "One that only grows is a store or a database that hangs.",
)
REFUSALS = counter(
    "mooring_refusals_total",
    "reason replica",
    "requests",
    "Requests refused, by reason",
    "[Each reason with its remedy](refusals.md#the-reasons). Any `unknown_kid`, `bad_signature` or `wrong_issuer` is "
    "worth a look.",
)
FAILURES = counter(
    "mooring_failures_total",
    "code",
    "requests",
    "Answers of 500 and above, by their code",
    "The log's lines `failed` and `unexpected_error` have the cause. `INTERNAL` is a fault of the program.",
)
READY = gauge(
    "mooring_ready",
    "",
    "1 or 0",
    Joined.LEAST,
    "Whether all workers of this server are ready",
    "`/readyz` says in words what failed; see `mooring_check_failed`.",
)
CHECK_FAILED = gauge(
    "mooring_check_failed",
    "check",
    "1 or 0",
    Joined.MOST,
    "Whether a check of `/readyz` fails in any worker",
    "[Which replica is wrong](operating.md#which-replica-is-wrong).",
)
CHECK_SECONDS = gauge(
    "mooring_check_seconds",
    "check",
    "seconds",
    Joined.MOST,
    "How long each check took last: `database` and `store` ask the real ones, once a second",
    "Rising: what it asks is slow. From 2 seconds on the check fails.",
)
WORKERS = gauge(
    "mooring_workers",
    "role",
    "processes",
    Joined.SUM,
    "Worker processes of this server: `server`, or `worker` for `mooring worker`",
    "Below the setting `workers` for long: they die. The log says how.",
)
BUILD = gauge(
    "mooring_build_info",
    "version",
    "1",
    Joined.MOST,
    "The version that runs",
    "Two versions for longer than an upgrade takes: a replica was left behind.",
)
CONFIGURATION_VERSION = gauge(
    "mooring_configuration_version",
    "",
    "a version",
    Joined.LEAST,
    "Version of the configuration that is in force here; of the workers, the oldest",
    "It follows `mooring_cluster_configuration_version` within seconds.",
)
KEYS = gauge(
    "mooring_signing_keys",
    "state replica",
    "keys",
    Joined.LATEST,
    "Signing keys loaded",
    "There is always one `active`. [Keys](operating.md#keys).",
)
KEY_AGE = gauge(
    "mooring_signing_key_age_seconds",
    "state",
    "seconds",
    Joined.LATEST,
    "Time since the newest key in this state was made; 0 if there is none",
    "A key that stays `pending` for minutes was not loaded by some replica: `mooring cluster status`.",
)
KEY_LIFE = gauge(
    "mooring_signing_key_life_seconds",
    "",
    "seconds",
    Joined.LATEST,
    "Age at which a signing key is replaced: `key_life_days`",
    "The active key is hardly ever older.",
)
CLOCK_OFFSET = gauge(
    "mooring_clock_offset_seconds",
    "replica",
    "seconds",
    Joined.LATEST,
    "This machine's wall clock ahead of cluster time",
    "Tokens are right all the same. Mend the machine's time service: its logs and its TLS need it.",
)
CLOCK_ERROR = gauge(
    "mooring_clock_error_seconds",
    "replica",
    "seconds",
    Joined.MOST,
    "Bound on the error of cluster time: half of what the database took to tell it",
    "Above a second: the way to the database is slow.",
)
DATABASE_SECONDS = histogram(
    "mooring_database_seconds",
    "kind",
    "Time of transactions, `read` or `write`, with waiting for their turn. Short reads of SQLite are not in it",
    "Slow writes are a slow disk, or PostgreSQL's; see also `mooring_database_connections`.",
)
DATABASE_FAILURES = counter(
    "mooring_database_failures_total",
    "kind",
    "transactions",
    "Transactions that the database could not do",
    "Clients get 503 and try again. The log's lines `failed` have the cause.",
)
DATABASE_CONNECTIONS = gauge(
    "mooring_database_connections",
    "state",
    "connections",
    Joined.SUM,
    "Connections of the pools: `used` at this moment, and `most` that there may be",
    "All used for long: more replicas than the database answers, or slow statements.",
)
STORE_SECONDS = histogram(
    "mooring_store_seconds",
    "operation",
    "Time of single operations of the store: of a file, or requests of a bucket. What is cached takes none",
    "For files `finish` is the disk's sync.",
)
STORE_FAILURES = counter(
    "mooring_store_failures_total",
    "operation",
    "operations",
    "Operations that the store could not do",
    "Clients get 503, or 507 from a full one. The log's lines `failed` have the cause.",
)
COLLECTED = counter(
    "mooring_collected_total",
    "kind",
    "things",
    "Things that collection removed: links, blobs, uploads, objects, strays",
    "[Collection](operating.md#collection).",
)
COLLECTED_BYTES = counter(
    "mooring_collected_bytes_total",
    "",
    "bytes",
    "Bytes of blobs that collection removed; they are freed a minute later",
    "None for weeks while images are deleted: see `mooring_queue_lag_seconds`.",
)
WORK = counter(
    "mooring_work_total",
    "work outcome",
    "rounds",
    "Rounds of background work, by how they ended: `done` or `failed`",
    "A failed one is tried again; the log's line `work_failed` has the cause.",
)
WORK_SECONDS = gauge(
    "mooring_work_seconds",
    "work",
    "seconds",
    Joined.LATEST_EVER,
    "How long the last round took",
    "Longer than its interval: the work does not keep up.",
)
WORK_SUCCESS = gauge(
    "mooring_work_last_success_timestamp_seconds",
    "work",
    "Unix time",
    Joined.HIGHEST_EVER,
    "When a round ended well here last, by cluster time. One process of the cluster works at a time",
    "Compare the greatest of all replicas with the time now.",
)
PROBES = counter(
    "mooring_probe_runs_total",
    "outcome",
    "probes",
    "Scheduled probes that this server made, by how they ended: `ok` or `failed`",
    "[On a schedule](probe.md#on-a-schedule). The log's line `probe_failed` has the fault.",
)
PROBE_FAILED = gauge(
    "mooring_probe_last_failed",
    "",
    "1 or 0",
    Joined.LATEST_EVER,
    "Whether the last scheduled probe failed; the same on all replicas, like the next two",
    "Pushes of real clients fail too.",
)
PROBE_SUCCESS = gauge(
    "mooring_probe_last_success_timestamp_seconds",
    "",
    "Unix time",
    Joined.LATEST_EVER,
    "When a scheduled probe found nothing wrong last, by cluster time",
    "Compare with the time now.",
)
PROBE_SECONDS = gauge(
    "mooring_probe_seconds",
    "",
    "seconds",
    Joined.LATEST_EVER,
    "How long the slowest push of the last scheduled probe took",
    "Rising: so do those of clients.",
)
SAMPLED = gauge(
    "mooring_cluster_sampled",
    "",
    "1 or 0",
    Joined.SHARED,
    "Whether the database could be asked for what follows",
    "0: the rows of `mooring_cluster_…` and `mooring_queue_…` are missing. See `mooring_check_failed`.",
)
REPLICAS = gauge(
    "mooring_cluster_replicas",
    "role state",
    "processes",
    Joined.SHARED,
    "Processes of the whole cluster that live: of `server` or `worker`, `ready` or `not_ready`",
    "`mooring cluster status` names each, and what it lacks.",
)
CLUSTER_CONFIGURATION = gauge(
    "mooring_cluster_configuration_version",
    "",
    "a version",
    Joined.SHARED,
    "Newest version of the configuration in the database",
    "`mooring config history` says who changed what.",
)
QUEUE_DUE = gauge(
    "mooring_queue_due",
    "queue",
    "rows",
    Joined.SHARED,
    "Rows whose time has come, at most 10000 counted: reviews and removals of collection, uploads to sweep, refresh "
    "tokens to sweep, jobs of Procrastinate on PostgreSQL",
    "Some are usual between two rounds of the work.",
)
QUEUE_LAG = gauge(
    "mooring_queue_lag_seconds",
    "queue",
    "seconds",
    Joined.SHARED,
    "How long the oldest of them has been due",
    "Growing: nobody works. See `mooring_work_total`, the setting `jobs`, and the log's `work_failed`.",
)

METRICS: tuple[Described, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Described))
"""In the order of this page."""
