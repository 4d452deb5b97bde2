"""Statements as they are really executed, and what a database would do for each."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from mooring.database import lookup
from mooring.database.lookup import Lookup, Values
from mooring.database.metadata import metadata
from mooring.database.pipeline import Pipeline
from mooring.database.sqlite import SQLite

EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
PAGE = 500
"""Rows that may be read or sorted: those of the longest page, of referrers."""

PASSING = ("Limit", "LockRows", "Incremental Sort", "Result", "Subquery Scan", "Append", "Nested Loop")
"""What takes no more rows from below than are wanted of it."""

Parameters = Mapping[str, Any] | Sequence[Any]


class Statement(NamedTuple):
    text: str
    parameters: Parameters


class Fault(NamedTuple):
    kind: str
    """`scan`, `sort`, or `read` for more rows than a page has, which only PostgreSQL tells."""
    told: str


@dataclass
class Recording:
    """Statements in the order in which they are executed, each text once."""

    found: dict[str, Parameters] = field(default_factory=dict)

    def note(self, text: str, parameters: Parameters) -> None:
        if text.lstrip().upper().startswith(EXPLAINED):
            self.found.setdefault(text, parameters)

    def taken(self) -> Sequence[Statement]:
        taken, self.found = self.found, {}
        return [Statement(*each) for each in taken.items()]


def listen(recording: Recording, engine: Engine) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, many: bool) -> None:
        recording.note(text, parameters[0] if many else parameters)


def listen_to_single_ones(recording: Recording, patch: pytest.MonkeyPatch) -> None:
    """Those go to the driver without SQLAlchemy. Called before a database is opened: its look is handed on."""
    look, ask = SQLite._look, Pipeline.ask

    def noted_look(database: SQLite, asked: Lookup[Any], values: Values) -> Any:
        recording.note(asked.text(database.engine.dialect), values)
        return look(database, asked, values)

    async def noted_ask(pipeline: Pipeline, asked: lookup.Statement[Any], values: Values) -> Values | None:
        recording.note(asked.text(PGDialect_psycopg()), dict(zip(asked.names, values, strict=True)))  # type: ignore[no-untyped-call]
        return await ask(pipeline, asked, values)

    patch.setattr(SQLite, "_look", noted_look)
    patch.setattr(Pipeline, "ask", noted_ask)


def faults(connection: Connection, statement: Statement, small: Collection[str]) -> Sequence[Fault]:
    """Each scan of a table that is not one of the `small` ones, and each read or sort of more than a page."""
    if connection.dialect.name == "sqlite":
        return list(_faults_of_sqlite(connection, statement, small))
    # As large tables cost: those of a test are small, and reading them whole from a disk would be cheap.
    connection.exec_driver_sql("SET LOCAL random_page_cost = 1.1")
    # What only reads is executed once more, for how much it reads.
    options = "ANALYZE, TIMING OFF, FORMAT JSON" if statement.text.lstrip().startswith("SELECT") else "FORMAT JSON"
    explained = connection.exec_driver_sql(f"EXPLAIN ({options}) {statement.text}", _given(statement)).scalar_one()
    plan = explained if isinstance(explained, list) else json.loads(explained)
    return [
        fault for node, limited in _nodes(plan[0]["Plan"], False) for fault in _faults_of_node(node, limited, small)
    ]


@contextmanager
def without_index(engine: Engine, index: str) -> Iterator[Connection]:
    """A connection for which there is no such index, until it is closed."""
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP INDEX {index}")
        yield connection
        connection.rollback()


def _given(statement: Statement) -> Any:
    parameters = statement.parameters
    return dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)


def _faults_of_sqlite(connection: Connection, statement: Statement, small: Collection[str]) -> Iterator[Fault]:
    steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement.text}", _given(statement)).scalars("detail")
    named = _names(statement.text)
    # In the order of an index, as far as a page goes: each row is one of the list's.
    walks = re.search(r"FROM \w+\s+(WHERE 1 = 1 )?ORDER BY .*\s+LIMIT", statement.text) is not None
    for step in steps:
        scan = re.match(r"SCAN (\w+)( USING)?", step)
        table = named.get(scan[1], scan[1]) if scan else ""
        whole = table in metadata.tables and table not in small and not (scan and scan[2] and walks)
        if whole:
            yield Fault("scan", step)
        if step == "USE TEMP B-TREE FOR ORDER BY":
            yield Fault("sort", step)


def _names(text: str) -> Mapping[str, str]:
    """Tables by the names that a statement gives them."""
    return {name: table for table, name in re.findall(r"(?:FROM|JOIN|,) (\w+) AS (\w+)", text)}


def _nodes(plan: Mapping[str, Any], limited: bool) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Each node, and whether it goes on only as long as a limit above it wants more."""
    yield plan, limited
    passes = plan["Node Type"] in PASSING
    for each in plan.get("Plans", ()):
        below = passes and (limited or plan["Node Type"] == "Limit")
        yield from _nodes(each, below and each["Parent Relationship"] == "Outer")


def _faults_of_node(node: Mapping[str, Any], limited: bool, small: Collection[str]) -> Iterator[Fault]:
    kind, table = node["Node Type"], node.get("Relation Name", "")
    rows = _rows(node)
    told = f"{kind} of {rows}: {table or node.get('Sort Key')}"
    walks = limited and "Filter" not in node
    whole = kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in node and not walks
    if (kind == "Seq Scan" or whole) and table not in small:
        yield Fault("scan", told)
    if kind.endswith("Scan") and rows > PAGE and table not in small and ("Actual Rows" in node or not limited):
        yield Fault("read", told)
    if kind == "Sort" and _rows(node["Plans"][0]) > PAGE:
        yield Fault("sort", told)


def _rows(node: Mapping[str, Any]) -> float:
    """How many a node reads, or may where it was not executed."""
    if "Actual Rows" not in node:
        return float(node["Plan Rows"])
    return float((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
