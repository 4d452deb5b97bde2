"""Which replicas live, and what each says of itself, as the database knows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection, delete, select, update

from mooring import __version__
from mooring.cluster.clock import SECOND
from mooring.cluster.tables import replicas
from mooring.database import rows

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


@dataclass(frozen=True)
class Replica:
    name: str
    version: str
    started_at: int
    seen_at: int
    pulse: Pulse

    def alive(self, now: int) -> bool:
        return self.seen_at > now - LIFE


def beat(connection: Connection, now: int, name: str, pulse: Pulse) -> None:
    values = {**asdict(pulse), "keys": list(pulse.keys), "version": __version__, "seen_at": now}
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
            row.started_at,
            row.seen_at,
            Pulse(row.ready, row.failed, row.keys, row.configuration_version, row.clock_offset, row.clock_error),
        )
        for row in found
    ]
