"""On PostgreSQL: every work is done, by one process at a time, and again where the one that did it died."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from mooring.cluster.clock import Clock
from mooring.database import schema
from mooring.database.postgresql import PostgreSQL, parameters
from mooring.jobs import doorbell
from mooring.jobs.doorbell import Doorbell
from mooring.jobs.work import Work
from mooring.observe.metrics import Metrics
from tests.jobs.conftest import until
from tests.postgresql import PostgreSQL as Server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def address(postgresql: Server) -> str:
    address = postgresql.create()
    database = PostgreSQL(address)
    database.write_now(schema.migrate)
    database.close()
    return address


@pytest.fixture
def database(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgreSQL]:
    monkeypatch.setattr(doorbell, "ROUND_SECONDS", 0.1)
    monkeypatch.setattr(doorbell, "RESTART_SECONDS", 0.1)
    monkeypatch.setattr(doorbell, "HEARTBEAT_SECONDS", 0.2)
    database = PostgreSQL(address)
    yield database
    database.close()
    run(address, "TRUNCATE procrastinate_jobs, procrastinate_workers, procrastinate_periodic_defers CASCADE")


def run(address: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(address, autocommit=True) as connection:
        done = connection.execute(statement, values)  # type: ignore[call-overload,unused-ignore]
        return done.fetchall() if done.description else []


class Counted:
    """A work that counts its rounds, and how many are under way at once."""

    def __init__(self, name: str = "counted", seconds: float = 0.0, every: float = 0.1) -> None:
        self.rounds = 0
        self.going = 0
        self.most = 0
        self._seconds = seconds
        self.work = Work(name, self._round, lambda: every)

    async def _round(self) -> None:
        self.going += 1
        self.most = max(self.most, self.going)
        await asyncio.sleep(self._seconds)
        self.going -= 1
        self.rounds += 1


@contextlib.asynccontextmanager
async def ringing(database: PostgreSQL, address: str, metrics: Metrics, *works: Work) -> AsyncIterator[None]:
    bell = Doorbell(works, metrics, parameters(address), Clock(database))
    task = asyncio.create_task(bell.run())
    try:
        yield
    finally:
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=20)
        assert done, "it does not end"
        assert task.cancelled()


async def test_every_work_is_done_again_and_again(database: PostgreSQL, address: str, metrics: Metrics) -> None:
    one, other = Counted("one"), Counted("other")
    async with ringing(database, address, metrics, one.work, other.work):
        await until(lambda: one.rounds > 2 and other.rounds > 2)
    assert run(address, "SELECT * FROM procrastinate_workers") == []


async def test_what_is_due_is_looked_for_at_once(database: PostgreSQL, address: str, metrics: Metrics) -> None:
    rare = Counted("rare", every=3600)
    for rounds in (1, 2):
        async with ringing(database, address, metrics, rare.work):
            await until(lambda wanted=rounds: rare.rounds == wanted)  # type: ignore[misc]


async def test_what_is_scheduled_is_left_alone(database: PostgreSQL, address: str, metrics: Metrics) -> None:
    """Else PostgreSQL would note a duplicate key in its log, and a dead row in its table, with every round."""
    rare, often = Counted("rare", every=3600), Counted("often", every=0.5)
    counting = "SELECT last_value FROM procrastinate_jobs_id_seq"
    async with ringing(database, address, metrics, rare.work, often.work):
        await until(lambda: rare.rounds == 1 and often.rounds > 1)
        ((before,),), rounds = run(address, counting), often.rounds
        await until(lambda: often.rounds > rounds + 2)
        ((after,),), rounds = run(address, counting), often.rounds - rounds
    assert after - before <= rounds + 1


async def test_never_two_at_once(database: PostgreSQL, address: str, metrics: Metrics) -> None:
    work = Counted(seconds=0.2, every=0)
    async with (
        ringing(database, address, metrics, work.work),
        ringing(database, address, metrics, work.work),
        ringing(database, address, metrics, work.work),
    ):
        await until(lambda: work.rounds > 8)
    assert work.most == 1


async def test_what_a_dead_process_left_is_done_by_another(
    database: PostgreSQL, address: str, metrics: Metrics
) -> None:
    ((dead,),) = run(
        address,
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute') RETURNING id",
    )
    run(
        address,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, worker_id)"
        " VALUES (%s, 'rare', 'rare', 'doing', %s)",
        doorbell.QUEUE,
        dead,
    )
    rare = Counted("rare", every=3600)
    async with ringing(database, address, metrics, rare.work):
        await until(lambda: rare.rounds > 0)
    assert run(address, "SELECT status FROM procrastinate_jobs WHERE status = 'doing'") == []


async def test_a_work_that_fails_is_tried_again_and_leaves_no_trace(
    database: PostgreSQL, address: str, metrics: Metrics
) -> None:
    rounds = 0

    async def fail() -> None:
        nonlocal rounds
        rounds += 1
        raise RuntimeError

    async with ringing(database, address, metrics, Work("failing", fail, lambda: 0)):
        await until(lambda: rounds > 2)
    assert run(address, "SELECT * FROM procrastinate_jobs WHERE status NOT IN ('todo', 'doing')") == []


async def test_cut_connections_are_made_again(database: PostgreSQL, address: str, metrics: Metrics) -> None:
    work = Counted()
    async with ringing(database, address, metrics, work.work):
        for _ in range(3):
            before = work.rounds
            await until(lambda seen=before: work.rounds > seen)  # type: ignore[misc]
            run(address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        before = work.rounds
        await until(lambda: work.rounds > before + 1)


async def test_the_wall_clock_does_not_matter(
    database: PostgreSQL, address: str, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hours ahead, and then put right: a schedule by the wall clock would stand still for two hours."""
    work, right = Counted(), time.time
    async with ringing(database, address, metrics, work.work):
        for offset in (7200, 0, -7200):
            monkeypatch.setattr(time, "time", lambda offset=offset: right() + offset)
            before = work.rounds
            await until(lambda seen=before: work.rounds > seen + 1)  # type: ignore[misc]


async def test_connections_are_few(database: PostgreSQL, address: str, metrics: Metrics) -> None:
    works = [Counted(f"work-{number}", every=0) for number in range(6)]
    counting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'mooring'"
    )
    most = 0
    async with ringing(database, address, metrics, *(each.work for each in works)):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            most = max(most, (await asyncio.to_thread(run, address, counting))[0][0])
    assert 1 <= most <= doorbell.MOST_CONNECTIONS + 1 + 1, "one listens, one is the clock's"
