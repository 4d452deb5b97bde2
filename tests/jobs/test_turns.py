"""A server works for the cluster unless a worker does, or it was told not to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mooring.cluster import heartbeat
from mooring.cluster.clock import Clock
from mooring.cluster.heartbeat import LIFE, WORKER, Pulse
from mooring.cluster.readiness import Readiness
from mooring.database import schema
from mooring.database.sqlite import SQLite
from mooring.errors import ConfigurationError
from mooring.jobs.turns import Turns
from mooring.settings import Settings

pytestmark = pytest.mark.anyio

SHARED = {
    "database_url": "postgresql://somewhere/mooring",
    "store": "file:///somewhere",
    "master_key": "x" * 44,
}


class Engine:
    def __init__(self) -> None:
        self.going = False

    async def run(self) -> None:
        self.going = True
        try:
            await asyncio.Event().wait()
        finally:
            self.going = False


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SQLite]:
    """It stands for the shared one: what is asked of it is the same."""
    database = SQLite(tmp_path / "mooring.db")
    database.write_now(schema.migrate)
    yield database
    database.close()


class Process:
    def __init__(self, database: SQLite, **told: str) -> None:
        self.engine = Engine()
        self.failing = False
        self.readiness = Readiness({"key": self._check})
        settings = Settings(**told)  # type: ignore[arg-type]
        self.turns = Turns(self.engine.run, settings, database, Clock(database), self.readiness)

    async def works(self, *, worker: bool = False) -> bool:
        await self.readiness.look()
        await self.turns.turn(worker=worker)
        await asyncio.sleep(0)
        return self.engine.going

    async def _check(self) -> None:
        if self.failing:
            raise ConfigurationError


@pytest.fixture
async def processes() -> AsyncIterator[list[Process]]:
    made: list[Process] = []
    yield made
    for process in made:
        await process.turns.rest()
        assert not process.engine.going


def beat(database: SQLite, pulse: Pulse, ago: int = 0) -> None:
    database.write_now(heartbeat.beat, Clock(database).now() - ago, "worker", pulse)


READY = Pulse(ready=True, role=WORKER)


async def test_a_server_works_until_a_worker_lives_and_again_when_it_is_gone(
    database: SQLite, processes: list[Process]
) -> None:
    server = Process(database, **SHARED)
    processes.append(server)
    assert await server.works()
    beat(database, READY)
    assert not await server.works()
    beat(database, READY, ago=LIFE)
    assert await server.works()


async def test_another_server_is_no_worker(database: SQLite, processes: list[Process]) -> None:
    server = Process(database, **SHARED)
    processes.append(server)
    beat(database, Pulse(ready=True))
    assert await server.works()


async def test_a_worker_that_is_not_ready_is_none(database: SQLite, processes: list[Process]) -> None:
    server = Process(database, **SHARED)
    processes.append(server)
    beat(database, Pulse(ready=False, failed={"store": "away"}, role=WORKER))
    assert await server.works()


@pytest.mark.parametrize(("jobs", "works"), [("on", True), ("off", False)])
async def test_a_server_does_as_it_is_told(database: SQLite, processes: list[Process], jobs: str, works: bool) -> None:
    server = Process(database, jobs=jobs, **SHARED)
    processes.append(server)
    assert await server.works() is works
    beat(database, READY)
    assert await server.works() is works


async def test_one_that_is_not_the_cluster_s_leaves_off(database: SQLite, processes: list[Process]) -> None:
    worker = Process(database, **SHARED)
    processes.append(worker)
    assert await worker.works(worker=True)
    worker.failing = True
    assert not await worker.works(worker=True)
    worker.failing = False
    assert await worker.works(worker=True)


async def test_one_machine_needs_no_worker(database: SQLite, processes: list[Process]) -> None:
    alone, quiet = Process(database), Process(database, jobs="off")
    processes.extend((alone, quiet))
    assert await alone.works()
    assert not await quiet.works()
