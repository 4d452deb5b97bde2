"""Who did what, written in the transaction that does it: there is no act without its row, and no row without its act.

What was refused is in the denial log, and pulls are counted by repository, not written here one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from mooring.cluster.clock import DAY
from mooring.database import pages, selection
from mooring.database.pages import Page
from mooring.database.selection import Field, Selection
from mooring.observe.audit.tables import audit_log

P = ParamSpec("P")
T = TypeVar("T")

REMOVED_AT_ONCE = 500
MOST_COUNTED = 100_000
"""The total of a longer list is told as this: counting all of a year's rows would take seconds."""
LONGEST = 512
LONGEST_NAME = 255


@dataclass(frozen=True)
class Act:
    username: str
    operation: str
    """In Harbor's words: create, update, delete."""
    resource_type: str
    resource: str
    project_id: int | None = None
    """None for what belongs to the whole system."""
    description: str = ""


Naming = Callable[[Connection], str]
"""Looks the name up of what is known by its id, before the act: it may be gone after."""


_NOTE = insert(audit_log).inline()
"""Nobody asks for the new id."""


def note(connection: Connection, now: int, act: Act) -> None:
    connection.execute(
        _NOTE,
        {
            "at": now,
            "project_id": act.project_id,
            "username": act.username[:LONGEST_NAME],
            "operation": act.operation,
            "resource_type": act.resource_type,
            "resource": act.resource[:LONGEST],
            "description": act.description[:LONGEST],
        },
    )


def noted(
    now: int, act: Act, transaction: Callable[Concatenate[Connection, P], T], naming: Naming | None = None
) -> Callable[Concatenate[Connection, P], T]:
    """The transaction with its row, whose resource `naming` says where the act itself does not."""

    def both(connection: Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        named = act if naming is None else replace(act, resource=naming(connection))
        result = transaction(connection, *args, **kwargs)
        note(connection, now, named)
        return result

    return both


FIELDS: dict[str, Field] = {
    "id": selection.number(audit_log.c.id),
    "username": selection.text(audit_log.c.username),
    "operation": selection.text(audit_log.c.operation),
    "resource": selection.text(audit_log.c.resource),
    "resource_type": selection.text(audit_log.c.resource_type),
    "project_id": selection.number(audit_log.c.project_id),
    "op_time": selection.moment(audit_log.c.at),
}
"""By their names in Harbor's API."""


def page(connection: Connection, selected: Selection, *where: ColumnElement[bool]) -> Page:
    """The newest first, unless the order is another; by time, which is how the ids go. Raises Invalid."""
    asked = [*where, *pages.conditions(selected, FIELDS)]
    some = select(audit_log.c.id).where(*asked).limit(MOST_COUNTED).subquery()
    total = connection.execute(select(func.count()).select_from(some)).scalar_one()
    order = audit_log.c.id.asc() if pages.oldest_first(selected, "op_time", "id") else audit_log.c.id.desc()
    found = select(audit_log).where(*asked).order_by(order)
    rows = connection.execute(found.limit(selected.size).offset((selected.page - 1) * selected.size)).mappings().all()
    return Page(rows, int(total))


def remove_old(connection: Connection, now: int, days: int) -> int:
    """Some of the rows that are older than so many days; answers how many went."""
    oldest = select(audit_log.c.id, audit_log.c.at).order_by(audit_log.c.id).limit(REMOVED_AT_ONCE)
    gone: Sequence[int] = [row.id for row in connection.execute(oldest) if row.at < now - days * DAY]
    if gone:
        connection.execute(delete(audit_log).where(audit_log.c.id.in_(gone)))
    return len(gone)
