"""The cluster's own row: its id, which the store must bear too, and the proof of its master key."""

import uuid

from sqlalchemy import Connection, Row, select, update

from mooring.cluster.master_key import MasterKey
from mooring.cluster.tables import cluster
from mooring.database import rows
from mooring.errors import ConfigurationError


def establish(connection: Connection, now: int, master_key: MasterKey) -> str:
    """Make the row if there is none; answers the cluster's id. Raises ConfigurationError for a wrong master key."""
    if _row(connection) is None:
        check = master_key.check_value()
        row = {"id": 1, "cluster_id": str(uuid.uuid4()), "master_key_check": check, "created_at": now}
        rows.add_if_new(connection, cluster, row)
    return require(connection, master_key)


def store_is_marked(connection: Connection) -> bool:
    return connection.execute(select(cluster.c.store_marked_at).where(cluster.c.id == 1)).scalar() is not None


def note_marked_store(connection: Connection, now: int) -> None:
    connection.execute(update(cluster).where(cluster.c.id == 1).values(store_marked_at=now))


def require(connection: Connection, master_key: MasterKey) -> str:
    """The cluster's id. Raises ConfigurationError before the first start, and for a wrong master key."""
    row = _row(connection)
    if row is None:
        raise ConfigurationError("The database is empty. Start `mooring serve` once, or run `mooring migrate`.")
    master_key.require(row.master_key_check)
    return str(row.cluster_id)


def require_if_established(connection: Connection, master_key: MasterKey) -> None:
    """Raises ConfigurationError for a wrong master key, before anything is changed."""
    # One column, and not the row: an older schema, which is about to be migrated, has fewer than the table declares.
    check_value = connection.execute(select(cluster.c.master_key_check).where(cluster.c.id == 1)).scalar()
    if check_value is not None:
        master_key.require(check_value)


def _row(connection: Connection) -> Row[tuple[int, str, bytes, int, int | None]] | None:
    return connection.execute(select(cluster).where(cluster.c.id == 1)).first()
