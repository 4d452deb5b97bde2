"""Which replicas live, and what each says of itself, as the database knows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sqlalchemy import Column, Connection, Row, delete, select, update

from mooring import __version__
from mooring.cluster.clock import SECOND
from mooring.cluster.tables import replicas
from mooring.database import revisions, rows, short
from mooring.database.time import database_time
from mooring.errors import PreconditionFailed

LIFE = 20 * SECOND
"""A replica that was not seen for so long is taken for dead."""

FORGET = 3600 * SECOND

SERVER, WORKER = "server", "worker"


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
    role: str = SERVER
    address: str = ""
    """Past the load balancer; empty where it was not told."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """In force there, of those that may be changed while serving: values that are its own may differ."""


@dataclass(frozen=True)
class Replica:
    name: str
    version: str
    schema: str
    """The newest revision that its program knows."""
    started_at: int
    seen_at: int
    pulse: Pulse

    @property
    def given_name(self) -> str:
        return self.name.rpartition("/")[0]

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
    live = replicas.c.ready & (replicas.c.seen_at > now - LIFE) & (replicas.c.role == SERVER)
    return set(connection.scalars(select(replicas.c.name).where(live)))


@short
def worker_lives(connection: Connection, now: int) -> bool:
    """Whether a process that does nothing but the cluster's work lives and is ready for it."""
    live = replicas.c.ready & (replicas.c.seen_at > now - LIFE) & (replicas.c.role == WORKER)
    return connection.execute(select(replicas.c.name).where(live).limit(1)).first() is not None


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


def namesakes(found: Sequence[Replica], now: int) -> Mapping[str, Sequence[str]]:
    """Hosts of the servers that live under one name, where there is more than one of them.

    One that was killed, and whose successor has its name, has not been seen since that one began.
    """
    servers: dict[tuple[str, str], dict[str, list[Replica]]] = {}
    for replica in found:
        if replica.alive(now):
            place = servers.setdefault((replica.given_name, replica.pulse.role), {})
            place.setdefault(replica.pulse.server, []).append(replica)
    twice = {}
    for (name, _role), by_server in servers.items():
        latest = max(min(each.started_at for each in workers) for workers in by_server.values())
        living = [workers[0] for workers in by_server.values() if max(each.seen_at for each in workers) >= latest]
        if len(living) > 1:
            twice[name] = sorted(each.pulse.host for each in living)
    return twice


def shared_name(name: str, hosts: Sequence[str]) -> str:
    """What to tell people of such a name."""
    return (
        f"{len(hosts)} servers call themselves {name}, on {' and '.join(hosts)}. They serve all the same; "
        "give each a MOORING_REPLICA of its own, so that you can tell them apart."
    )


def require_upgraded(connection: Connection, revision: str) -> None:
    """Raises PreconditionFailed, with their names, while replicas live that don't know this revision of the schema."""
    old = [row.name for row in _living(connection, "schema", replicas.c.schema) if _lacks(row.schema, revision)]
    if old:
        raise PreconditionFailed(
            f"Schema {revision} takes away what these replicas still need: {', '.join(old)}. Upgrade or stop them "
            f"first. One that was killed counts for {LIFE // SECOND} seconds."
        )


def require_holding(connection: Connection, fingerprint: str) -> None:
    """Raises PreconditionFailed, with their names, while replicas live that don't hold this master key."""
    columns = _living(connection, "master_key", replicas.c.master_keys)
    without = [row.name for row in columns if fingerprint not in row.master_keys]
    if without:
        raise PreconditionFailed(
            f"These replicas were not given the new master key yet: {', '.join(without)}. Restart them with the new "
            "one as MOORING_MASTER_KEY and the old one as MOORING_MASTER_KEY_PREVIOUS first. One that was killed "
            f"counts for {LIFE // SECOND} seconds."
        )


def _living(connection: Connection, check: str, *columns: Column[Any]) -> Sequence[Row[Any]]:
    """Of the replicas that live, but for those that don't serve because this check of theirs fails."""
    living = replicas.c.seen_at > database_time(connection) - LIFE
    found = connection.execute(select(replicas.c.name, replicas.c.failed, *columns).where(living))
    return sorted((row for row in found if check not in row.failed), key=lambda row: str(row.name))


def _lacks(newest: str, revision: str) -> bool:
    """Whether a program with this newest revision is older than the other one. One that we don't know is newer."""
    place, other = revisions.position(newest), revisions.position(revision)
    return not newest or (place is not None and other is not None and place < other)
