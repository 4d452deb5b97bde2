"""What is due and waits for a worker: rows are the work, so that rows tell how far it is behind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select

from mooring.registry.tables import blob_reviews, object_removals, uploads


@dataclass(frozen=True)
class Backlog:
    waiting: int
    behind: int
    """How long the oldest has been due, in microseconds; 0 when nothing waits."""


def backlogs(connection: Connection, now: int, idle: int) -> Mapping[str, Backlog]:
    """By kind of work. `idle` is how long an upload may rest before it is thrown away, in microseconds."""
    return {
        "reviews": _due(connection, blob_reviews, blob_reviews.c.due_at, now),
        "removals": _due(connection, object_removals, object_removals.c.due_at, now),
        "uploads": _due(connection, uploads, uploads.c.touched_at, now - idle),
    }


def _due(connection: Connection, table: Table, due_at: Column[Any], now: int) -> Backlog:
    query = select(func.count(), func.min(due_at)).select_from(table).where(due_at <= now)
    waiting, oldest = connection.execute(query).one()
    return Backlog(int(waiting), now - int(oldest) if waiting else 0)
