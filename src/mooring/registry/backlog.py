"""What is due and waits for a worker: rows are the work, so that rows tell how far it is behind."""

from collections.abc import Mapping

from sqlalchemy import Connection

from mooring.database import rows
from mooring.database.rows import Backlog
from mooring.registry.collection import idle
from mooring.registry.tables import blob_reviews, object_removals, uploads
from mooring.settings import Settings


def backlogs(connection: Connection, now: int, settings: Settings) -> Mapping[str, Backlog]:
    """By kind of work."""
    return {
        "reviews": rows.backlog(connection, blob_reviews.c.due_at, now),
        "removals": rows.backlog(connection, object_removals.c.due_at, now),
        "uploads": rows.backlog(connection, uploads.c.touched_at, now - idle(settings)),
    }
