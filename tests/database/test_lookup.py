"""Looks for one row, which a database may run without SQLAlchemy: they answer and fail as any other read does."""

import asyncio

import pytest
from sqlalchemy import JSON, Column, Connection, LargeBinary, MetaData, String, Table, bindparam, literal_column, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url

from mooring.access import epoch
from mooring.database import Database
from mooring.database.lookup import Lookup, Values
from mooring.errors import Invalid
from mooring.registry import blobs, manifest_index, uploads
from tests.database.conftest import counters
from tests.database.counting import put
from tests.databases import OpenDatabase

pytestmark = pytest.mark.anyio

LOOKUPS: list[Lookup[object]] = [
    epoch.read,
    blobs.find,
    manifest_index.by_digest,
    manifest_index.by_tag,
    uploads.find,
]


def _first(row: Values | None) -> int | None:
    return row[0] if row else None


def _required(row: Values | None) -> int:
    if row is None:
        raise LookupError("asked for")
    return int(row[0])


by_number = Lookup(select(counters.c.value).where(counters.c.id == bindparam("number")), ("number",), _first)
required = Lookup(select(counters.c.value).where(counters.c.id == bindparam("number")), ("number",), _required)
by_text = Lookup(select(counters.c.value).where(literal_column("'x'", String) == bindparam("text")), ("text",), _first)
above = Lookup(select(counters.c.value).where(counters.c.id > bindparam("number")), ("number",), _first)


def checkpoint(connection: Connection) -> tuple[int, ...]:
    return tuple(connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one())


def drop(connection: Connection) -> None:
    counters.drop(connection)


async def test_it_answers_the_same_everywhere(database: Database) -> None:
    await database.write(put, 1, 5)
    assert await database.read(by_number, 1) == 5
    assert await database.read(by_number, 2) is None
    assert database.read_now(by_number, 1) == 5
    assert await database.write(by_number, 1) == 5


async def test_it_sees_each_write_as_soon_as_it_is_acknowledged(open_database: OpenDatabase) -> None:
    writing, reading = open_database(), open_database()
    for number in range(50):
        await writing.write(put, number, number)
        assert await reading.read(by_number, number) == number


async def test_what_its_shape_raises_is_raised(database: Database) -> None:
    with pytest.raises(LookupError, match="asked for"):
        await database.read(required, 1)
    await database.write(put, 1, 5)
    assert await database.read(required, 1) == 5


async def test_many_at_once_get_each_their_own(database: Database) -> None:
    for number in range(20):
        await database.write(put, number, number)
    asked = [database.read(by_number, number % 25) for number in range(200)]
    found = await asyncio.gather(*asked)
    assert found == [number % 25 if number % 25 < 20 else None for number in range(200)]


async def test_it_leaves_nothing_open_that_a_checkpoint_would_wait_for(open_sqlite: OpenDatabase) -> None:
    database = open_sqlite()
    await database.write(counters.create)
    for number in range(3):
        await database.write(put, number, number)
    # There are more rows than the one that it takes.
    assert await database.read(above, 0) is not None
    await database.write(put, 3)
    busy, left, moved = await database.read(checkpoint)
    assert (busy, left) == (0, moved)


async def test_text_that_cannot_be_stored_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(Invalid):
        await database.read(by_text, "\ud800")


async def test_a_table_that_is_gone_is_an_error_and_the_next_one_is_answered(database: Database) -> None:
    await database.write(drop)
    with pytest.raises(Exception, match="counters"):
        await database.read(by_number, 1)
    await database.write(counters.create)
    assert await database.read(by_number, 1) is None


@pytest.mark.parametrize("lookup", LOOKUPS)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql+psycopg"])
def test_each_can_be_run_by_the_driver_alone(lookup: Lookup[object], dialect: str) -> None:
    assert lookup.text(make_url(f"{dialect}://").get_dialect()()).startswith("SELECT")


def test_a_statement_that_the_driver_cannot_run_alone_is_found_out() -> None:
    things = Table("things", MetaData(), Column("body", LargeBinary), Column("facts", JSON))
    converting = Lookup(select(things.c.facts), (), _first)
    with pytest.raises(ValueError, match="converted"):
        converting.text(sqlite.dialect())
    swapped = Lookup(select(things.c.body).where(things.c.body == bindparam("one")), ("two",), _first)
    with pytest.raises(ValueError, match="parameters"):
        swapped.text(sqlite.dialect())
