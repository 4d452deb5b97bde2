"""Pages of rows, in the order and by the tests of a selection."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, select

from mooring.database.rows import among
from mooring.database.selection import Field, Selection, field_name
from mooring.errors import Invalid


@dataclass(frozen=True)
class Page:
    rows: Sequence[RowMapping]
    total: int


def select_page(
    connection: Connection,
    query: Select[*tuple[Any, ...]],
    selection: Selection,
    fields: Mapping[str, Field],
    usual: Sequence[tuple[str, bool]],
    tie: ColumnElement[Any],
    within: Sequence[ColumnElement[bool]] = (),
    count: Callable[[Connection], int] | None = None,
) -> Page:
    """One page of `query`, and how many rows there are in all. `tie` is the id: it makes any order a total one.

    The ids are found first, so that what `query` counts for each row is counted for the page alone, whose rows are not
    tried again for being `within` the list. `count` is a faster way to count all that are. Raises Invalid.
    """
    chosen = query.where(*within, *conditions(selection, fields))
    if count is not None and not selection.tests:
        total = count(connection)
    else:
        counted = chosen.with_only_columns(func.count(), maintain_column_froms=True)
        total = int(connection.execute(counted).scalar_one())
    keys = selection.order or usual
    before = (selection.page - 1) * selection.size
    behind = max(total - before - selection.size, 0)
    # What is skipped is read: from whichever end is nearer.
    backwards = behind < before
    order = [_order_by(fields, key, descends != backwards) for key, descends in keys]
    found = chosen.with_only_columns(tie, maintain_column_froms=True)
    found = found.order_by(*order, tie.desc() if backwards else tie)
    size = min(selection.size, max(total - before, 0))
    ids = connection.scalars(found.limit(size).offset(min(before, behind))).all() if size else []
    ids = ids[::-1] if backwards else ids
    named = query.add_columns(tie.label("row_id")).where(among(connection, tie, ids))
    by_id = {row["row_id"]: row for row in connection.execute(named).mappings()}
    return Page([by_id[row_id] for row_id in ids if row_id in by_id], total)


def select_newest(
    connection: Connection,
    query: Select[*tuple[Any, ...]],
    owner: ColumnElement[Any],
    row_id: ColumnElement[Any],
    most: int,
) -> Mapping[Any, list[RowMapping]]:
    """By owner, the rows with the highest ids: at most `most` of each."""
    place = func.row_number().over(partition_by=owner, order_by=row_id.desc()).label("place")
    ranked = query.add_columns(place, owner.label("owner")).subquery()
    found = connection.execute(select(ranked).where(ranked.c.place <= most).order_by(ranked.c.place))
    return grouped(found.mappings().all(), "owner")


def grouped(found: Sequence[RowMapping], by: str) -> Mapping[Any, list[RowMapping]]:
    groups: dict[Any, list[RowMapping]] = {}
    for row in found:
        groups.setdefault(row[by], []).append(row)
    return groups


def conditions(selection: Selection, fields: Mapping[str, Field]) -> list[ColumnElement[bool]]:
    """What a row has to pass. Raises Invalid."""
    return [_field_of(fields, key).condition(test) for key, test in selection.tests]


def oldest_first(selection: Selection, *names: str) -> bool:
    """Which way a list goes that is sorted by time alone, under any of these names. Raises Invalid."""
    if len(selection.order) > 1 or any(field_name(key) not in names for key, _ in selection.order):
        raise Invalid(f"This list is sorted by {names[0]} or -{names[0]}.")
    return any(not descends for _, descends in selection.order)


def _field_of(fields: Mapping[str, Field], key: str) -> Field:
    found = fields.get(field_name(key))
    if found is None:
        raise Invalid(f"This list can't be queried by {key[:40]!r}; it can by {', '.join(fields)}.")
    return found


def _order_by(fields: Mapping[str, Field], key: str, descends: bool) -> ColumnElement[Any]:
    order = _field_of(fields, key).order
    if order is None:
        raise Invalid(f"This list can't be sorted by {key[:40]!r}.")
    return order.desc() if descends else order.asc()
