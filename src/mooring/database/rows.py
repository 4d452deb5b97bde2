"""Writing single rows the same way in both databases.

Each statement is made once and given its values as parameters: to build one anew takes SQLAlchemy five times as long as
to run one that it knows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, func, select
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


def among(connection: Connection, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """As `column.in_(values)`, in PostgreSQL by one parameter: to write a hundred takes longer than to look them up."""
    if connection.dialect.name == "sqlite":
        return column.in_(values)
    return column == func.any(bindparam(None, list(values), type_=postgresql.ARRAY(column.type)))


def add(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row that gets its id from the database; answers the id."""
    inserted = connection.execute(_inserting(connection.dialect.name, table), row).inserted_primary_key
    assert inserted is not None
    return int(inserted[0])


def add_if_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is there already; never check-then-insert (go-gitea/gitea#19586)."""
    return connection.execute(_inserting_new(connection.dialect.name, table), row).rowcount > 0


def put(
    connection: Connection, table: Table, row: Mapping[str, Any], *, key: tuple[Column[Any], ...], change: set[str]
) -> None:
    """Insert a row, or set the columns in `change` of the one with the same key."""
    connection.execute(_putting(connection.dialect.name, table, key, frozenset(change)), row)


def put_many(
    connection: Connection,
    table: Table,
    many: Sequence[Mapping[str, Any]],
    *,
    key: tuple[Column[Any], ...],
    change: set[str],
    growing: Column[Any] | None = None,
) -> None:
    """Insert rows, or set the columns in `change` of those with the same key, if given only where `growing` grows."""
    connection.execute(_putting(connection.dialect.name, table, key, frozenset(change), growing), list(many))


Insert = sqlite.Insert | postgresql.Insert


@cache
def _inserting(dialect: str, table: Table) -> Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def _inserting_new(dialect: str, table: Table) -> Insert:
    # Of an insert, unlike an update, SQLAlchemy keeps no count unless it is asked to.
    return _inserting(dialect, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


@cache
def _putting(
    dialect: str,
    table: Table,
    key: tuple[Column[Any], ...],
    change: frozenset[str],
    growing: Column[Any] | None = None,
) -> Insert:
    statement = _inserting(dialect, table)
    changed = {name: statement.excluded[name] for name in change}
    further = None if growing is None else statement.excluded[growing.name] > growing
    return statement.on_conflict_do_update(index_elements=key, set_=changed, where=further)
