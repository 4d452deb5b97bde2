"""The closed list of conditions that the registry itself tells of. `docs/alerts.md` has a chapter for each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from mooring.settings import Settings


class Severity(StrEnum):
    CRITICAL = "critical"
    """Pushes or pulls fail, or soon will."""
    WARNING = "warning"


@dataclass(frozen=True)
class Condition:
    """`name` is in rows and notices: never rename one."""

    name: str
    severity: Severity
    remedy: str
    patient: bool = True
    """Whether it must hold for `alert_delay_seconds` before anybody is told."""


@dataclass(frozen=True)
class Finding:
    """That a condition holds now. `subject` is what it is about: findings with the same one are one alert."""

    condition: Condition
    subject: str
    text: str


@dataclass(frozen=True)
class Moment:
    """`now` is microseconds of cluster time."""

    now: int
    settings: Settings


Source = Callable[[Connection, Moment], Iterable[Finding]]
"""Looks for conditions in what the database knows: a transaction that reads."""

IMPOSSIBLE_REFUSALS = Condition(
    "impossible_refusals",
    Severity.CRITICAL,
    "Tokens are refused that a sound cluster takes. Look at who sends them (mooring denials), and at which replica "
    "refuses (mooring cluster status, mooring probe with --endpoint for each replica).",
    patient=False,
)
REPLICA_NOT_READY = Condition(
    "replica_not_ready",
    Severity.WARNING,
    "Its failed checks say what is wrong with it. The others serve meanwhile.",
)
REPLICA_LOST = Condition(
    "replica_lost",
    Severity.WARNING,
    "It ended without saying so, or is cut off from the database. Look at its log and its machine. One that was "
    "taken away for good is forgotten after an hour.",
)
STORE_FAILING = Condition(
    "store_failing",
    Severity.CRITICAL,
    "No replica reaches the store. Nothing can be pushed, and blobs can't be pulled.",
)
DATABASE_FAILING = Condition(
    "database_failing",
    Severity.CRITICAL,
    "Nothing can be pushed or pulled until it answers. Look at the database, and at the way to it from this replica.",
)
CLOCK_OFF = Condition(
    "clock_off",
    Severity.WARNING,
    "Set the clock of its machine right (NTP). Tokens go by cluster time and don't suffer; S3, TLS and logs may.",
)
KEY_ROTATION_LATE = Condition(
    "key_rotation_late",
    Severity.WARNING,
    "A new key waits until every ready replica has loaded it. mooring keys list, and mooring cluster status, show who "
    "has not.",
)
CONFIGURATION_APART = Condition(
    "configuration_apart",
    Severity.WARNING,
    "It serves by an older configuration. Look at its log; restart it if it stays so.",
)
WORK_LATE = Condition(
    "work_late",
    Severity.WARNING,
    "Background work is not done. Look for work_failed and work_interrupted in the logs.",
)
PROBE_FAILING = Condition(
    "probe_failing",
    Severity.CRITICAL,
    "The registry pushed to itself as a client does, and could not. The step and the replica say where.",
    patient=False,
)
PROBE_LATE = Condition(
    "probe_late",
    Severity.WARNING,
    "The scheduled probe is on and is not made. Look for work_failed in the logs.",
)

CONDITIONS = {
    condition.name: condition
    for condition in (
        IMPOSSIBLE_REFUSALS,
        REPLICA_NOT_READY,
        REPLICA_LOST,
        STORE_FAILING,
        DATABASE_FAILING,
        CLOCK_OFF,
        KEY_ROTATION_LATE,
        CONFIGURATION_APART,
        WORK_LATE,
        PROBE_FAILING,
        PROBE_LATE,
    )
}
