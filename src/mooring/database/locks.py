"""Locks that have a name and no row, for work that one replica at a time may do."""

import hashlib

from sqlalchemy import Connection, func, select


def hold(connection: Connection, name: str, *, patience_seconds: int = 0) -> None:
    """Wait until no other transaction holds `name`, and hold it until this one ends.

    With `patience_seconds` the wait, and each statement after it, may take so long; without, as long as any other.
    On SQLite there is nothing to do: a transaction that writes holds the whole database.
    """
    if connection.dialect.name != "postgresql":
        return
    if patience_seconds:
        for setting in ("lock_timeout", "statement_timeout"):
            connection.execute(select(func.set_config(setting, f"{patience_seconds}s", True)))
    number = int.from_bytes(hashlib.sha256(f"mooring {name}".encode()).digest()[:8], "big", signed=True)
    connection.execute(select(func.pg_advisory_xact_lock(number)))
