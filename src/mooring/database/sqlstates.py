"""What PostgreSQL's errors mean for a caller, by SQLSTATE (its manual, appendix A)."""

import psycopg
from sqlalchemy.exc import DBAPIError

from mooring.errors import Conflict, Invalid, MooringError, StorageFull, Unavailable

DISK_FULL = "53100"
READ_ONLY = "25006"
UNIQUE, FOREIGN_KEY = "23505", "23503"
LOST_RACES = frozenset({"40001", "40P01", UNIQUE, FOREIGN_KEY})
"""Serialization, deadlock, and a row that somebody else made or removed between our look and our write."""

AWAY = ("08", "53", "57", "58", "25P03", "55P03", READ_ONLY)
"""Prefixes: connection, resources, operator, system; idle in transaction; lock not had in time; demoted."""

UNWRITABLE = Invalid("The request has text or a number that can't be stored.")


class NotCommitted(Exception):
    """A transaction failed before its commit was sent: nothing of it can have happened."""

    def __init__(self, error: DBAPIError) -> None:
        super().__init__(str(error))
        self.error = error


class NotConnected(Exception):
    """There was not even a connection: nothing can have happened."""

    def __init__(self, error: DBAPIError) -> None:
        super().__init__(str(error))
        self.error = error


class Unreachable(Unavailable):
    """The same for those who may wait a little and try once more."""


def worth_reading_again(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and (lost(error) or state(error) in LOST_RACES)


def worth_writing_again(error: Exception) -> bool:
    """Only what surely did not happen. A commit whose answer was lost may have happened."""
    if isinstance(error, NotCommitted):
        return lost(error.error) or state(error.error) in LOST_RACES
    return isinstance(error, DBAPIError) and state(error) in LOST_RACES


def lost(error: DBAPIError) -> bool:
    """A connection that had worked broke. One that can't be made at all is not worth a second try at once."""
    return error.connection_invalidated or state(error).startswith(("57P01", "57P02"))


def server_demoted(error: Exception) -> bool:
    cause = error.error if isinstance(error, NotCommitted) else error
    return isinstance(cause, DBAPIError) and state(cause) == READ_ONLY


def translated(error: DBAPIError) -> MooringError | DBAPIError:
    """An error of our own making stays as it is."""
    code = state(error)
    if code == DISK_FULL:
        return StorageFull()
    if code in {UNIQUE, FOREIGN_KEY}:
        return Conflict("Somebody else changed this at the same moment. Look again.")
    if code.startswith("22") or isinstance(error.orig, psycopg.DataError):
        return UNWRITABLE
    broken = isinstance(error.orig, psycopg.OperationalError) and not code
    if broken or error.connection_invalidated or code.startswith((*AWAY, *LOST_RACES)):
        return Unavailable("The registry's database can't answer right now. Try again shortly.")
    return error


def state(error: DBAPIError) -> str:
    """Empty when it did not come from the server."""
    return getattr(error.orig, "sqlstate", None) or ""
