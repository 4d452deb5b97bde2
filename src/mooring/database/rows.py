"""Writing single rows the same way in both databases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Backlog:
    """Rows whose time has come, and nobody has seen to."""

    waiting: int
    """MOST_COUNTED at most."""
    behind: int
    """How long the oldest has been due, in microseconds; 0 when nothing waits."""


def backlog(connection: Connection, due_at: Column[int], now: int) -> Backlog:
    """By an indexed column of microseconds."""
    some = select(due_at.label("at")).where(due_at <= now).order_by(due_at).limit(MOST_COUNTED).subquery()
    waiting, oldest = connection.execute(select(func.count(), func.min(some.c.at)).select_from(some)).one()
    return Backlog(int(waiting), now - int(oldest) if waiting else 0)


def add(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row that gets its id from the database; answers the id."""
    inserted = connection.execute(table.insert().values(row)).inserted_primary_key
    assert inserted is not None
    return int(inserted[0])


def add_if_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is there already; never check-then-insert (go-gitea/gitea#19586)."""
    statement = _insert(connection, table).values(row).on_conflict_do_nothing()
    # Of an insert, unlike an update, SQLAlchemy keeps no count unless it is asked to.
    return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount > 0


def put(
    connection: Connection, table: Table, row: Mapping[str, Any], *, key: tuple[Column[Any], ...], change: set[str]
) -> None:
    """Insert a row, or set the columns in `change` of the one with the same key."""
    statement = _insert(connection, table).values(row)
    changed = {name: row[name] for name in change}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))


def put_many(
    connection: Connection,
    table: Table,
    many: Sequence[Mapping[str, Any]],
    *,
    key: tuple[Column[Any], ...],
    change: set[str],
    growing: Column[Any],
) -> None:
    """Insert rows, or set the columns in `change` of those with the same key where `growing` grows by it."""
    statement = _insert(connection, table)
    changed = {name: statement.excluded[name] for name in change}
    further = statement.excluded[growing.name] > growing
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed, where=further), list(many))


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
