"""What a list is asked for (tests, order, page), turned into SQL over the fields that a list declares.

The tests are those of Harbor's query language (src/lib/q/builder.go); `api.paging` reads them from text.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, true

from mooring.errors import Invalid

INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
LARGEST = 2**63 - 1
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Exact:
    value: str


@dataclass(frozen=True)
class Fuzzy:
    value: str


@dataclass(frozen=True)
class Range:
    low: str | None
    high: str | None


@dataclass(frozen=True)
class AnyOf:
    values: tuple[str, ...]


@dataclass(frozen=True)
class AllOf:
    values: tuple[str, ...]


Test = Exact | Fuzzy | Range | AnyOf | AllOf


@dataclass(frozen=True)
class Selection:
    tests: Sequence[tuple[str, Test]] = ()
    """Field names, each with a test that a row has to pass."""
    order: Sequence[tuple[str, bool]] = ()
    """Field names, each with whether it descends."""
    page: int = 1
    size: int = 10

    def with_test(self, key: str, test: Test) -> "Selection":
        return replace(self, tests=(*self.tests, (key, test)))

    def without(self, *keys: str) -> "Selection":
        return replace(self, tests=tuple((key, test) for key, test in self.tests if key not in keys))

    def test_of(self, key: str) -> Test | None:
        return next((test for known, test in self.tests if known == key), None)


@dataclass(frozen=True)
class Field:
    """One name that a list may be filtered or, with an `order`, sorted by. `condition` raises Invalid."""

    condition: Callable[[Test], ColumnElement[bool]]
    order: ColumnElement[Any] | None = None


def field_name(key: str) -> str:
    """`ProjectID` and `project_id` are one field, as in Harbor."""
    return _CAPITAL.sub("_", key).lower()


def text(column: ColumnElement[Any]) -> Field:
    return Field(lambda test: _fuzzy(column, test) if isinstance(test, Fuzzy) else _test(column, str, test), column)


def number(column: ColumnElement[Any]) -> Field:
    return Field(lambda test: _test(column, _integer, test), column)


def moment(column: ColumnElement[Any]) -> Field:
    """A column of microseconds, asked for in RFC 3339 or as `2026-04-09 02:36:00`, in UTC where no zone is given."""
    return Field(lambda test: _test(column, microseconds, test), column)


def flag(column: ColumnElement[Any]) -> Field:
    return Field(lambda test: _test(column, _boolean, test), column)


def _fuzzy(column: ColumnElement[Any], test: Fuzzy) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.icontains(test.value, autoescape=True)
    return found


def _test(column: ColumnElement[Any], convert: Callable[[str], Any], test: Test) -> ColumnElement[bool]:
    match test:
        case Exact(value):
            return and_(column == convert(value))
        case AnyOf(values):
            return and_(column.in_([convert(value) for value in values]))
        case AllOf(values):
            return and_(true(), *(column == convert(value) for value in values))
        case Range(low, high):
            bounds = [] if low is None else [column >= convert(low)]
            return and_(true(), *bounds, *([] if high is None else [column <= convert(high)]))
        case Fuzzy():
            raise Invalid("Only a field of text can be compared with ~.")


def _integer(value: str) -> int:
    if not INTEGER.fullmatch(value) or abs(int(value)) > LARGEST:
        raise Invalid(f"This is not a number: {value[:40]!r}.")
    return int(value)


def _boolean(value: str) -> bool:
    if value not in ("true", "false", "1", "0"):
        raise Invalid(f"This is neither true nor false: {value[:40]!r}.")
    return value in ("true", "1")


def microseconds(value: str) -> int:
    """Raises Invalid."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError as error:
        raise Invalid(f"This is not a time: {value[:40]!r}. Write it as 2026-04-09T02:36:00.") from error
    known = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return int((known - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
