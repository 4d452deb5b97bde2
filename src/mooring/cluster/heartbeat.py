"""Which replicas live, and what each says of itself, as the database knows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

from sqlalchemy import Connection, delete, select, update

from mooring import __version__
from mooring.cluster.clock import SECOND
from mooring.cluster.tables import replicas
from mooring.database import revisions, rows
from mooring.database.time import database_time
from mooring.errors import PreconditionFailed

LIFE = 20 * SECOND
"""A replica that was not seen for so long is taken for dead."""

FORGET = 3600 * SECOND


@dataclass(frozen=True)
class Pulse:
    """What a replica says of itself. Clock figures are microseconds."""

    ready: bool
    failed: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()
    configuration_version: int = 0
    clock_offset: int = 0
    clock_error: int = 0
    server: str = ""
    """At random, the same in all processes of one start."""
    host: str = ""
    master_keys: Sequence[str] = field(default_factory=list)
    """Fingerprints."""


@dataclass(frozen=True)
class Replica:
    name: str
    version: str
    schema: str
    """The newest revision that its program knows."""
    started_at: int
    seen_at: int
    pulse: Pulse

    def alive(self, now: int) -> bool:
        return self.seen_at > now - LIFE


def beat(connection: Connection, now: int, name: str, pulse: Pulse) -> None:
    values = {**asdict(pulse), "keys": list(pulse.keys), "seen_at": now}
    values |= {"version": __version__, "schema": revisions.newest()}
    changed = connection.execute(update(replicas).where(replicas.c.name == name).values(values))
    if changed.rowcount == 0:
        row = {"name": name, "started_at": now, **values}
        rows.put(connection, replicas, row, key=(replicas.c.name,), change=set(values))
        connection.execute(delete(replicas).where(replicas.c.seen_at < now - FORGET))


def leave(connection: Connection, name: str) -> None:
    connection.execute(delete(replicas).where(replicas.c.name == name))


def serving(connection: Connection, now: int) -> set[str]:
    """Names of the replicas that live and are ready: those that a new key has to reach."""
    live = replicas.c.ready & (replicas.c.seen_at > now - LIFE)
    return set(connection.scalars(select(replicas.c.name).where(live)))


def known(connection: Connection) -> Sequence[Replica]:
    found = connection.execute(select(replicas).order_by(replicas.c.name))
    return [
        Replica(
            row.name,
            row.version,
            row.schema,
            row.started_at,
            row.seen_at,
            Pulse(**{each.name: row._mapping[each.name] for each in fields(Pulse)}),
        )
        for row in found
    ]


def require_upgraded(connection: Connection, revision: str) -> None:
    """Raises PreconditionFailed, with their names, while replicas live that don't know this revision of the schema.

    One that may not serve anyway, and says so, does not count.
    """
    columns = (replicas.c.name, replicas.c.schema, replicas.c.failed)
    living = connection.execute(select(*columns).where(replicas.c.seen_at > database_time(connection) - LIFE))
    old = sorted(row.name for row in living if _lacks(row.schema, revision) and "schema" not in row.failed)
    if old:
        raise PreconditionFailed(
            f"Schema {revision} takes away what these replicas still need: {', '.join(old)}. Upgrade or stop them "
            f"first. One that was killed counts for {LIFE // SECOND} seconds."
        )


def _lacks(newest: str, revision: str) -> bool:
    """Whether a program with this newest revision is older than the other one. One that we don't know is newer."""
    place, other = revisions.position(newest), revisions.position(revision)
    return not newest or (place is not None and other is not None and place < other)
