"""What SQLite's errors mean for a caller."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError

from mooring.errors import Conflict, Invalid, MooringError, StorageFull, StorageReadOnly, Unavailable

SILENT = "The registry's database can't answer right now. Try again shortly."
DAMAGED = "The registry's database is damaged, or its file is no database. Its operator has to restore a backup."


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise translated(error) from error
    except UnicodeEncodeError as error:
        raise Invalid("The request has text that can't be stored.") from error


def translated(error: DBAPIError) -> MooringError | DBAPIError:
    """What the driver's words mean for a caller; an error of our own making stays as it is."""
    text = str(error.orig)
    if isinstance(error, IntegrityError) and text.startswith(("UNIQUE", "FOREIGN KEY")):
        return Conflict("Somebody else changed this at the same moment. Look again.")
    if "disk is full" in text:
        return StorageFull()
    if "readonly database" in text or "read-only" in text:
        return StorageReadOnly()
    if any(sign in text for sign in ("locked", "busy", "unable to open", "disk I/O error")):
        return Unavailable(SILENT)
    if "not a database" in text or "malformed" in text:
        return Unavailable(DAMAGED)
    return error
