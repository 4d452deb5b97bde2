"""Which replicas live, as the database knows."""

from collections.abc import Sequence

from sqlalchemy import Connection, Row, delete, insert, select, update

from mooring import __version__
from mooring.cluster.clock import SECOND
from mooring.cluster.tables import replicas

FORGET = 3600 * SECOND


def beat(connection: Connection, now: int, name: str, ready: bool) -> None:
    values = {"version": __version__, "seen_at": now, "ready": ready}
    changed = connection.execute(update(replicas).where(replicas.c.name == name).values(values))
    if changed.rowcount == 0:
        connection.execute(insert(replicas).values(name=name, started_at=now, **values))
        connection.execute(delete(replicas).where(replicas.c.seen_at < now - FORGET))


def leave(connection: Connection, name: str) -> None:
    connection.execute(delete(replicas).where(replicas.c.name == name))


def known(connection: Connection) -> Sequence[Row[tuple[str, str, int, int, bool]]]:
    return connection.execute(select(replicas).order_by(replicas.c.name)).all()
