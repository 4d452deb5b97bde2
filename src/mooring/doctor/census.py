"""What a Mooring knows of itself: its replicas as each last said, the work that waits, the refusals of the last day.

The shape of `GET /api/v2.0/cluster`, which an examination from outside reads, and of one with the registry's own
settings, which asks the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from mooring.cluster import configuration, heartbeat
from mooring.cluster.clock import DAY, SECOND, rfc3339
from mooring.cluster.heartbeat import Replica
from mooring.database import schema
from mooring.observe.denials import log
from mooring.observe.denials.log import Group
from mooring.registry.backlog import backlogs
from mooring.settings import Settings


@dataclass(frozen=True)
class Member:
    """A process that is one of the cluster's, as it last said. Keys are named by their `kid`."""

    name: str
    role: str
    host: str
    version: str
    schema: str
    alive: bool
    ready: bool
    started_at: str
    seen_seconds_ago: float
    failed: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    configuration_version: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    """In force there, of those that may be changed while serving."""
    clock_offset_seconds: float = 0
    """How far its wall clock is ahead of cluster time."""
    clock_error_seconds: float = 0

    @property
    def given_name(self) -> str:
        return self.name.rpartition("/")[0]


@dataclass(frozen=True)
class Queue:
    name: str
    waiting: int
    behind_seconds: float
    """How long the oldest has been due."""


@dataclass(frozen=True)
class Refusals:
    """Those for one reason of `docs/refusals.md`, and of how many replicas, accounts and repositories."""

    reason: str
    count: int
    replicas: int
    accounts: int
    repositories: int
    last_at: str


@dataclass(frozen=True)
class Census:
    made_at: str
    configuration_version: int = 0
    configuration_seconds_old: float = 0
    configuration: tuple[str, ...] = ()
    """Names of the settings that are kept in the database, and so can't differ."""
    schema_pending: tuple[str, ...] = ()
    collection: bool = True
    collection_interval_seconds: float = 0
    replicas: tuple[Member, ...] = ()
    queues: tuple[Queue, ...] = ()
    refusals: tuple[Refusals, ...] = ()
    """Of the last day, the most frequent reason first."""


def census(connection: Connection, now: int, settings: Settings) -> Census:
    """`now` is microseconds of cluster time."""
    newest = configuration.newest(connection)
    waiting = backlogs(connection, now, settings)
    return Census(
        made_at=rfc3339(now),
        configuration_version=newest.number if newest else 0,
        configuration_seconds_old=(now - newest.changed_at) / SECOND if newest else 0,
        configuration=tuple(sorted(newest.values)) if newest else (),
        schema_pending=tuple(revision.name for revision in schema.pending(connection)),
        collection=settings.collection,
        collection_interval_seconds=settings.collection_interval_seconds,
        replicas=tuple(_member(replica, now) for replica in heartbeat.known(connection)),
        queues=tuple(Queue(name, each.waiting, each.behind / SECOND) for name, each in waiting.items()),
        refusals=tuple(_refusals(group) for group in log.by_reason(connection, now - DAY)),
    )


def _refusals(group: Group) -> Refusals:
    return Refusals(
        str(group.reason),
        group.occurrences,
        group.replicas,
        group.subjects,
        group.repositories,
        rfc3339(group.last_at),
    )


def _member(replica: Replica, now: int) -> Member:
    pulse = replica.pulse
    return Member(
        name=replica.name,
        role=pulse.role,
        host=pulse.host,
        version=replica.version,
        schema=replica.schema,
        alive=replica.alive(now),
        ready=pulse.ready,
        started_at=rfc3339(replica.started_at),
        seen_seconds_ago=max(0, now - replica.seen_at) / SECOND,
        failed=dict(pulse.failed),
        keys=tuple(pulse.keys),
        configuration_version=pulse.configuration_version,
        settings=dict(pulse.settings),
        clock_offset_seconds=pulse.clock_offset / SECOND,
        clock_error_seconds=pulse.clock_error / SECOND,
    )
