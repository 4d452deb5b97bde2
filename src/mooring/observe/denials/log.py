"""The denial log in the database: each function is a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, or_, select, true

from mooring.cluster.clock import DAY
from mooring.database import rows
from mooring.database.pages import conditions, oldest_first
from mooring.database.selection import AnyOf, Exact, Field, Range, Selection, Test, microseconds, text
from mooring.errors import Invalid
from mooring.observe.denials.record import earliest, latest
from mooring.observe.denials.tables import denials
from mooring.refusals import Reason

REMOVED_AT_ONCE = 500
KNOWN = frozenset(Reason)
EXACT = ("request_id", "reason", "subject", "project", "repository", "replica")


@dataclass(frozen=True)
class Group:
    """What was refused for one reason."""

    reason: Reason
    occurrences: int
    replicas: int
    """How many different ones, as of the accounts and repositories below."""
    subjects: int
    repositories: int
    last_at: int
    """Microseconds of cluster time."""


def store(connection: Connection, many: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or bring the count of those that are there up to date. May be done twice, and late."""
    if many:
        changes = {"occurrences", "last_at"}
        rows.put_many(connection, denials, many, key=(denials.c.id,), change=changes, growing=denials.c.occurrences)


def by_reason(connection: Connection, since: int) -> Sequence[Group]:
    """Refusals from a moment on, the most frequent reason first. `since` is microseconds of cluster time.

    Clients' first questions (`record.is_first_question`) are in none.
    """
    total = func.sum(denials.c.occurrences)
    found = connection.execute(
        select(
            denials.c.reason,
            total.label("occurrences"),
            func.count(denials.c.replica.distinct()).label("replicas"),
            func.count(denials.c.subject.distinct()).label("subjects"),
            func.count(denials.c.repository.distinct()).label("repositories"),
            func.max(denials.c.last_at).label("last_at"),
        )
        .where(denials.c.id >= earliest(since))
        .group_by(denials.c.reason)
        .order_by(total.desc(), denials.c.reason)
    )
    # A newer version may know more reasons.
    known = [row for row in found if row.reason in KNOWN]
    return [
        Group(Reason(row.reason), int(row.occurrences), row.replicas, row.subjects, row.repositories, row.last_at)
        for row in known
    ]


def of_request(connection: Connection, request_id: str) -> Sequence[RowMapping]:
    """Newest first. A client may give several requests one id, and one request may be refused twice."""
    asked = select(denials).where(denials.c.request_id == request_id).order_by(denials.c.id.desc())
    return connection.execute(asked.limit(20)).mappings().all()


def page(
    connection: Connection,
    selection: Selection,
    after: str = "",
    *where: ColumnElement[bool],
) -> Sequence[RowMapping]:
    """One row more than a page, if there are as many, from behind the row with the id `after` on. Newest first, unless
    the order is by time ascending. Raises Invalid.
    """
    ascends = oldest_first(selection, "time")
    asked = conditions(selection, FIELDS)
    if after:
        asked.append(denials.c.id > after if ascends else denials.c.id < after)
    found = select(denials).where(*where, *asked).order_by(denials.c.id if ascends else denials.c.id.desc())
    return connection.execute(found.limit(selection.size + 1)).mappings().all()


def _exact(column: ColumnElement[Any]) -> Field:
    """By what an index finds."""

    def condition(test: Test) -> ColumnElement[bool]:
        if not isinstance(test, Exact | AnyOf):
            raise Invalid("Denials are queried by whole values: k=v, or k={any of}.")
        return text(column).condition(test)

    return Field(condition)


def _replica(test: Test) -> ColumnElement[bool]:
    """A name as a replica was given it stands for all its processes, which have `/` and more behind it."""
    exact = _exact(denials.c.replica).condition(test)
    names = test.values if isinstance(test, AnyOf) else (test.value,) if isinstance(test, Exact) else ()
    begun = [denials.c.replica.startswith(f"{name}/", autoescape=True) for name in names if "/" not in name]
    return or_(exact, *begun) if begun else exact


def _between(test: Test) -> ColumnElement[bool]:
    if not isinstance(test, Range):
        raise Invalid("Ask for a time as time=[from~to].")
    bounds = [] if test.low is None else [denials.c.id >= earliest(microseconds(test.low))]
    return and_(true(), *bounds, *([] if test.high is None else [denials.c.id <= latest(microseconds(test.high))]))


FIELDS: Mapping[str, Field] = {
    **{name: _exact(denials.c[name]) for name in EXACT},
    "replica": Field(_replica),
    "time": Field(_between),
}


def newest_to_go(connection: Connection, now: int, days: int, most: int) -> str:
    """Rows up to this id are older than some days, or more than there may be."""
    surplus = connection.scalar(select(denials.c.id).order_by(denials.c.id.desc()).offset(most).limit(1))
    return max(earliest(now - days * DAY), surplus or "")


def remove(connection: Connection, newest: str) -> int:
    """Some of the rows up to this id, the oldest first; answers how many went."""
    gone = select(denials.c.id).where(denials.c.id <= newest).order_by(denials.c.id).limit(REMOVED_AT_ONCE)
    return connection.execute(delete(denials).where(denials.c.id.in_(gone))).rowcount
