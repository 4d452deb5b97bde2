"""The cluster's own row: its id, which the store must bear too, and the proof of its master key.

Columns are named one by one: an older or a newer schema has others beside them.
"""

import uuid

from sqlalchemy import Connection, select, update

from mooring.cluster.master_key import MasterKey
from mooring.cluster.tables import cluster
from mooring.database import rows, short
from mooring.errors import ConfigurationError

_ID = select(cluster.c.cluster_id).where(cluster.c.id == 1)
_CHECK = select(cluster.c.master_key_check).where(cluster.c.id == 1)


def establish(connection: Connection, now: int, master_key: MasterKey) -> str:
    """Make the row if there is none; answers the cluster's id. Raises Foreign for a wrong master key."""
    if connection.execute(_ID).scalar() is None:
        check = master_key.check_value()
        row = {"id": 1, "cluster_id": str(uuid.uuid4()), "master_key_check": check, "created_at": now}
        rows.add_if_new(connection, cluster, row)
    require_master_key(connection, master_key)
    return cluster_id(connection)


def store_is_marked(connection: Connection) -> bool:
    return connection.execute(select(cluster.c.store_marked_at).where(cluster.c.id == 1)).scalar() is not None


def note_marked_store(connection: Connection, now: int) -> None:
    connection.execute(update(cluster).where(cluster.c.id == 1).values(store_marked_at=now))


def cluster_id(connection: Connection) -> str:
    """Raises ConfigurationError before the first start."""
    found = connection.execute(_ID).scalar()
    if found is None:
        raise ConfigurationError("The database is empty. Start `mooring serve` once, or run `mooring migrate`.")
    return str(found)


@short
def require_master_key(connection: Connection, master_key: MasterKey) -> None:
    """Raises Foreign for a wrong master key. Before the first start none is."""
    check_value = connection.execute(_CHECK).scalar()
    if check_value is not None:
        master_key.require(check_value)


def sealing(connection: Connection, master_key: MasterKey) -> MasterKey:
    """The key to seal with: while it is being replaced, the old one, which every replica holds. Raises Foreign."""
    return master_key.matching(connection.execute(_CHECK).scalar())


def put_master_key(connection: Connection, master_key: MasterKey) -> None:
    """From now on all that is sealed must be sealed with this one."""
    connection.execute(update(cluster).where(cluster.c.id == 1).values(master_key_check=master_key.check_value()))
