"""`kill -9` at any moment: what was acknowledged is there, byte for byte, and nobody is told 401, 403 or 404.

Every request opens a connection of its own, so the requests of one upload land on different workers.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from sqlalchemy import select, update

from mooring.database.sqlite import SQLite
from mooring.registry.tables import blobs, object_removals
from tests import server as servers
from tests.conftest import StartServer
from tests.faults import protocol
from tests.faults.protocol import Client, Pushed, Refused
from tests.server import Server
from tests.workers import workers

PUSHERS = 5
KIB = 1024

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@dataclass
class Log:
    """What the registry has acknowledged, and what it refused."""

    pushes: int = 0
    kept: list[Pushed] = field(default_factory=list)
    latest: dict[str, Pushed] = field(default_factory=dict)
    """By repository, what the tag `latest` was set to."""
    refused: list[str] = field(default_factory=list)


class Harbour:
    """A server that comes back on the same port after it was killed."""

    def __init__(self, server: Server, settings: dict[str, str]) -> None:
        self.server = server
        self._settings = settings

    def kill_a_worker(self) -> None:
        alive = workers(self.server)
        if alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(sorted(alive)), signal.SIGKILL)

    def kill_everything(self) -> None:
        self.server.kill()
        self.server = servers.launch(self.server.data, self.server.port, 2, self._settings)
        servers.wait_until_ready(self.server, 60)


@contextlib.asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(server.url, server.username, server.password, session, pieces=3)


async def push_on(server: Server, number: int, log: Log, ended: asyncio.Event, *, tidy: bool) -> None:
    repository = f"library/kill-{number % 3}/{number}"
    async with client_of(server) as client:
        for turn in range(10_000):
            if ended.is_set():
                return
            size = random.choice([1, 30 * KIB, 200 * KIB, 1500 * KIB])
            try:
                # Every second content is every pusher's: the same blob at the same time.
                pushed = await client.push(repository, "latest", f"{turn}-{number * (turn % 2)}", size=size)
            except Refused as refusal:
                log.refused.append(str(refusal))
                continue
            log.pushes += 1
            log.kept.append(pushed)
            log.latest[repository] = pushed
            mine = [each for each in log.kept if each.repository == repository and each.digest != pushed.digest]
            if tidy and len(mine) > 1:
                log.kept.remove(mine[0])
                path = f"/v2/{repository}/manifests/{mine[0].digest}"
                with contextlib.suppress(Refused):  # told twice, as the first answer was lost
                    await client._ask("DELETE", path, repository, {202})


async def while_pushing(
    server: Server, troubles: int, trouble: Callable[[int], Awaitable[None]], *, tidy: bool = False
) -> Log:
    """Push on until there was trouble so many times and something came through after each, a minute at most."""
    log, ended, end = Log(), asyncio.Event(), time.monotonic() + 60
    async with asyncio.TaskGroup() as tasks:
        for number in range(PUSHERS):
            tasks.create_task(push_on(server, number, log, ended, tidy=tidy))
        for turn in range(troubles):
            before = log.pushes
            await asyncio.sleep(random.uniform(0.05, 0.4))
            await trouble(turn)
            while log.pushes < before + 2 and time.monotonic() < end:
                await asyncio.sleep(0.01)
        ended.set()
    return log


async def read_back(server: Server, log: Log) -> None:
    async with client_of(server) as client:
        for pushed in log.kept:
            assert await client.pull(pushed) == (pushed.manifest, pushed.blobs)
        for repository, pushed in log.latest.items():
            _, _, found = await client._ask("GET", f"/v2/{repository}/manifests/latest", repository, {200})
            assert found == pushed.manifest


def mooring(server: Server, command: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mooring", command, "--data", str(server.data)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(protocol, "TRIES", 60)


def test_workers_and_servers_that_are_killed_lose_nothing(start_server: StartServer) -> None:
    harbour = Harbour(start_server(workers=2), {})

    async def trouble(turn: int) -> None:
        if turn % 6 == 5:
            await asyncio.to_thread(harbour.kill_everything)
        else:
            harbour.kill_a_worker()

    log = asyncio.run(while_pushing(harbour.server, 12, trouble))
    try:
        assert log.refused == []
        assert log.kept
        asyncio.run(read_back(harbour.server, log))
        assert mooring(harbour.server, "check") == "No faults.\n"
        assert harbour.server.stop() == 0
    finally:
        harbour.server.kill()
    assert mooring(harbour.server, "check") == "No faults.\n"


def test_collection_that_is_killed_takes_nothing_that_is_needed(start_server: StartServer) -> None:
    """With hardly any delay, a push may be overtaken and told so; what was acknowledged still holds."""
    settings = {
        "MOORING_COLLECTION_DELAY_SECONDS": "2",
        "MOORING_COLLECTION_INTERVAL_SECONDS": "0.05",
        "MOORING_UPLOAD_IDLE_HOURS": "0.001",
    }
    harbour = Harbour(start_server(workers=2, environment=settings), settings)

    async def trouble(_turn: int) -> None:
        await asyncio.to_thread(harbour.kill_everything)

    log = asyncio.run(while_pushing(harbour.server, 3, trouble, tidy=True))
    try:
        assert all("BLOB_UNKNOWN" in each or "UPLOAD_UNKNOWN" in each for each in log.refused), log.refused
        assert log.kept
        asyncio.run(read_back(harbour.server, log))
        assert harbour.server.stop() == 0
    finally:
        harbour.server.kill()
    assert mooring(harbour.server, "check") == "No faults.\n"
    assert objects(harbour.server) >= needed_objects(harbour.server)
    mooring(harbour.server, "gc", **settings)
    make_removals_due(harbour.server)
    mooring(harbour.server, "gc", **settings)
    assert objects(harbour.server) == needed_objects(harbour.server)
    assert mooring(harbour.server, "check") == "No faults.\n"


@contextlib.contextmanager
def database_of(server: Server) -> Iterator[SQLite]:
    database = SQLite(server.data / "mooring.db")
    try:
        yield database
    finally:
        database.close()


def make_removals_due(server: Server) -> None:
    with database_of(server) as database:
        database.write_now(lambda connection: connection.execute(update(object_removals).values(due_at=0)))


def needed_objects(server: Server) -> set[str]:
    with database_of(server) as database:
        return set(database.read_now(lambda connection: connection.scalars(select(blobs.c.object_key)).all()))


def objects(server: Server) -> set[str]:
    return {path.name for path in (server.data / "objects").glob("??/*")}
