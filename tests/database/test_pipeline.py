"""Looks on the event loop's own connection to PostgreSQL: in order, however many, and bounded where nobody answers."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Integer, String, bindparam, column, literal_column, select, table

from mooring.database.lookup import Lookup, Values
from mooring.database.postgresql import PostgreSQL
from mooring.errors import Invalid, Unavailable
from tests.postgresql import PostgreSQL as Server

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(own_server: Server) -> Iterator[PostgreSQL]:
    opened = PostgreSQL(own_server.create())
    yield opened
    own_server.resume()
    opened.close()


def first(row: Values | None) -> object:
    return row[0] if row else None


number = Lookup(select(bindparam("number", type_=Integer)), ("number",), first)
long = Lookup(select(bindparam("text", type_=String)), ("text",), first)
quotient = Lookup(select(literal_column("100", Integer) // bindparam("number", type_=Integer)), ("number",), first)


async def test_more_than_the_sockets_hold_is_answered_in_order(database: PostgreSQL) -> None:
    texts = [f"{each:06}" * 5_000 for each in range(500)]
    found = await asyncio.gather(*(database.read(long, text) for text in texts))
    assert found == texts


async def test_a_look_that_fails_leaves_the_next_ones_alone(database: PostgreSQL) -> None:
    """Also where its statement was prepared with it, and so may not have been."""
    failed = await asyncio.gather(database.read(quotient, 0), database.read(number, 1), return_exceptions=True)
    assert isinstance(failed[0], Exception)
    assert failed[1] == 1
    assert await asyncio.gather(*(database.read(quotient, each) for each in (1, 2, 4))) == [100, 50, 25]
    assert await database.read(number, 2) == 2


async def test_a_text_does_not_end_where_one_of_c_would(database: PostgreSQL) -> None:
    assert await database.read(long, "a") == "a"
    with pytest.raises(Invalid):
        await database.read(long, "a\0b")
    assert await database.read(long, "\u00e9\u4e2d") == "\u00e9\u4e2d"


async def test_a_server_that_hangs_is_waited_for_a_bounded_time(
    database: PostgreSQL, own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mooring.database.pipeline.PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr("mooring.database.pipeline.WATCH_SECONDS", 0.1)
    assert await database.read(number, 1) == 1
    own_server.pause()
    began = time.monotonic()
    answers = await asyncio.gather(*(database.read(number, each) for each in range(50)), return_exceptions=True)
    assert {type(each) for each in answers} == {Unavailable}
    assert time.monotonic() - began < 3
    own_server.resume()
    assert await asyncio.gather(*(database.read(number, each) for each in range(50))) == list(range(50))


def test_each_event_loop_has_its_own(database: PostgreSQL) -> None:
    """Also where the one before it ended with looks that nobody waits for any more."""

    async def some(wanted: int) -> object:
        abandoned = [asyncio.ensure_future(database.read(number, each)) for each in range(20)]
        found = await database.read(number, wanted)
        for each in abandoned:
            each.cancel()
        return found

    assert [asyncio.run(some(each)) for each in range(3)] == [0, 1, 2]


async def test_one_that_may_not_connect_is_told_as_anybody_else(own_server: Server) -> None:
    database = PostgreSQL(own_server.create().rpartition("/")[0] + "/none-of-this-name")
    try:
        with pytest.raises(Unavailable):
            await database.read(number, 1)
    finally:
        database.close()


async def test_a_plan_made_for_small_tables_is_good_for_large_ones(own_server: Server) -> None:
    """It is kept for as long as the connection: one that reads the table whole would go on doing so."""
    url = own_server.create()
    database, later = PostgreSQL(url), PostgreSQL(url)
    try:
        await database.write(make_pairs, 3)
        for _ in range(20):
            assert await database.read(partner, "k1") == "v1"
        await later.write(make_pairs, 20_000)
        for each in range(50):
            assert await database.read(partner, f"k{each}") == f"v{each}"
        # A session tells what it did at the latest when it ends.
        database.close()
        async with asyncio.timeout(20):
            while (told := await later.read(scans))[0] < 70:
                await asyncio.sleep(0.05)
        assert told[1] < 20_000
    finally:
        database.close()
        later.close()


pairs = table("pairs", column("key", String), column("value", String))
partner = Lookup(select(pairs.c.value).where(pairs.c.key == bindparam("key")), ("key",), first)


def make_pairs(connection: Connection, count: int) -> None:
    """And have the planner know how many there are, if they are few."""
    if count < 10:
        connection.exec_driver_sql(
            "CREATE TABLE pairs (key varchar PRIMARY KEY, value varchar) WITH (autovacuum_enabled = off)"
        )
    connection.exec_driver_sql(
        f"INSERT INTO pairs SELECT 'k' || n, 'v' || n FROM generate_series(0, {count}) AS n ON CONFLICT DO NOTHING"
    )
    if count < 10:
        connection.exec_driver_sql("ANALYZE pairs")


def scans(connection: Connection) -> tuple[int, int]:
    """How many there were, and how many rows were read by those of the whole table."""
    found = connection.exec_driver_sql(
        "SELECT coalesce(seq_scan + idx_scan, 0), coalesce(seq_tup_read, 0) "
        "FROM pg_stat_user_tables WHERE relname = 'pairs'"
    ).one()
    return int(found[0]), int(found[1])
