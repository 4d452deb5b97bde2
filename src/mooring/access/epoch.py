"""A number that grows whenever anybody's rights may have changed, so that cached answers know when to go.

Every replica reads it twice a second; an answer cached under an older number, or under one that was read too long
ago, is asked of the database again. That bounds how long a revoked right lives on any replica (invariant 4: 2 s).
"""

import time

from sqlalchemy import Connection, select, update

from mooring.access.tables import access_epoch
from mooring.database import Database, rows
from mooring.database.lookup import Lookup, Values

POLL_SECONDS = 0.5
TRUSTED_SECONDS = 1.5


class Epoch:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._value = -1
        self._read_at = float("-inf")

    async def poll(self) -> None:
        asked_at = time.monotonic()
        self._value = await self._database.read(read)
        self._read_at = asked_at

    def current(self) -> int | None:
        """The epoch that cached answers must be of; None when it was read too long ago to trust any."""
        return self._value if time.monotonic() - self._read_at < TRUSTED_SECONDS else None


def _value(row: Values | None) -> int:
    return row[0] if row else 0


read = Lookup(select(access_epoch.c.value), (), _value)
"""There is one row at most."""


def advance(connection: Connection) -> None:
    """Call in each transaction that changes an account, a membership or a project."""
    rows.add_if_new(connection, access_epoch, {"id": 1, "value": 0})
    connection.execute(update(access_epoch).where(access_epoch.c.id == 1).values(value=access_epoch.c.value + 1))
