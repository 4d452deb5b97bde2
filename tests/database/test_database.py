"""What every database promises (`mooring.database.Database`)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from mooring.database import Database
from mooring.errors import Conflict
from tests.database.counting import (
    Gate,
    increase,
    numbers,
    put,
    put_and_fail,
    short_failure,
    short_value,
    value,
)
from tests.databases import OpenDatabase

pytestmark = pytest.mark.anyio


async def test_a_write_answers_what_its_function_does(database: Database) -> None:
    assert await database.write(put, 7) == 7


async def test_what_was_written_is_read(database: Database) -> None:
    await database.write(put, 1, value=5)
    assert await database.read(value, 1) == 5
    assert database.read_now(value, 1) == 5


async def test_every_replica_reads_what_was_written(open_database: OpenDatabase) -> None:
    await open_database().write(put, 1, 5)
    assert await open_database().read(value, 1) == 5


async def test_a_write_that_fails_leaves_nothing_and_says_why(database: Database) -> None:
    with pytest.raises(LookupError, match="asked for"):
        await database.write(put_and_fail, 1)
    assert await database.read(numbers) == []


async def test_a_write_now_that_fails_leaves_nothing_and_says_why(database: Database) -> None:
    with pytest.raises(LookupError, match="asked for"):
        database.write_now(put_and_fail, 1)
    assert database.read_now(numbers) == []


async def test_the_same_row_twice_is_a_conflict(database: Database) -> None:
    await database.write(put, 1)
    with pytest.raises(Conflict):
        await database.write(put, 1)


async def test_of_those_that_wait_together_only_the_failing_ones_fail(database: Database) -> None:
    gate = Gate()
    first = asyncio.create_task(database.write(gate, 0))
    await asyncio.to_thread(gate.entered.wait)
    waiting = [database.write(put if number % 3 else put_and_fail, number) for number in range(1, 31)]
    tasks = [asyncio.create_task(each) for each in waiting]
    await asyncio.sleep(0)
    gate.leave.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)
    good = [number for number in range(31) if number % 3 or number == 0]
    assert [result for result in results if isinstance(result, int)] == good
    assert sum(isinstance(result, LookupError) for result in results) == 10
    assert await database.read(numbers) == good


async def test_a_constraint_that_fails_takes_nobody_along(database: Database) -> None:
    gate = Gate()
    first = asyncio.create_task(database.write(gate, 0))
    await asyncio.to_thread(gate.entered.wait)
    tasks = [asyncio.create_task(database.write(put, number)) for number in (1, 1, 2)]
    await asyncio.sleep(0)
    gate.leave.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert (results[0], results[3]) == (0, 2)
    assert {type(result) for result in results[1:3]} == {int, Conflict}
    assert await database.read(numbers) == [0, 1, 2]


async def test_nobody_waits_for_one_who_gave_up(database: Database) -> None:
    gate = Gate()
    first = asyncio.create_task(database.write(gate, 0))
    await asyncio.to_thread(gate.entered.wait)
    given_up = asyncio.create_task(database.write(put, 1))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    gate.leave.set()
    assert await first == 0
    assert await asyncio.wait_for(database.write(put, 2), 10) == 2


async def test_one_who_gave_up_while_his_write_ran_takes_nobody_along(database: Database) -> None:
    gate = Gate()
    first = asyncio.create_task(database.write(gate, 0))
    await asyncio.to_thread(gate.entered.wait)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.leave.set()
    assert await asyncio.wait_for(database.write(put, 1), 10) == 1


async def test_no_update_is_lost(open_database: OpenDatabase) -> None:
    replicas = [open_database() for _ in range(3)]
    await replicas[0].write(put, 1)
    results = await asyncio.gather(*(replicas[turn % 3].write(increase, 1) for turn in range(150)))
    assert sorted(results) == list(range(1, 151))
    assert await replicas[0].read(value, 1) == 150


def test_threads_write_too(database: Database) -> None:
    database.write_now(put, 1)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: database.write_now(increase, 1), range(100)))
    assert sorted(results) == list(range(1, 101))


async def test_readers_do_not_wait_for_a_writer_and_see_what_was_before(open_database: OpenDatabase) -> None:
    one, other = open_database(), open_database()
    await one.write(put, 1)
    gate = Gate()
    writing = asyncio.create_task(one.write(gate, 2))
    await asyncio.to_thread(gate.entered.wait)
    assert await asyncio.wait_for(one.read(numbers), 5) == [1]
    assert await asyncio.wait_for(other.read(numbers), 5) == [1]
    assert await asyncio.wait_for(one.read(short_value, 2), 5) is None
    gate.leave.set()
    await writing
    assert await other.read(numbers) == [1, 2]


async def test_a_short_read_sees_each_write_as_soon_as_it_is_acknowledged(open_database: OpenDatabase) -> None:
    one, other = open_database(), open_database()
    await one.write(put, 1)
    for expected in range(1, 20):
        await one.write(increase, 1)
        assert await one.read(short_value, 1) == expected
        assert await other.read(short_value, 1) == expected


async def test_a_short_read_that_fails_spoils_no_later_one(open_database: OpenDatabase) -> None:
    one, other = open_database(), open_database()
    await one.write(put, 1)
    with pytest.raises(LookupError):
        await one.read(short_failure)
    await other.write(increase, 1)
    assert await one.read(short_value, 1) == 1


async def test_closing_ends_what_was_accepted(open_database: OpenDatabase) -> None:
    database = open_database()
    tasks = [asyncio.create_task(database.write(put, number)) for number in range(50)]
    await asyncio.sleep(0)
    await asyncio.to_thread(database.close)
    assert await asyncio.gather(*tasks) == list(range(50))
    assert await open_database().read(numbers) == list(range(50))


async def test_more_readers_than_connections_all_get_their_answer(database: Database) -> None:
    await database.write(put, 1)
    assert await asyncio.gather(*(database.read(numbers) for _ in range(100))) == [[1]] * 100
