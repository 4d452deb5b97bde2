"""What only SQLite does: its pragmas, its lock, its full, locked and read-only files."""

import asyncio
import sqlite3
from pathlib import Path

import pysqlite3.dbapi2 as driver
import pytest
from sqlalchemy import Connection, event

from mooring.database import sqlite
from mooring.database.sqlite import SQLite
from mooring.database.sqlite_writer import Turn
from mooring.errors import ConfigurationError, StorageFull, StorageReadOnly, Unavailable
from tests.database.conftest import counters
from tests.database.counting import Gate, numbers, put, value
from tests.databases import OpenDatabase
from tests.disks import fill, read_only, small_disk

MIB = 1024 * 1024

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(open_sqlite: OpenDatabase) -> SQLite:
    database = open_sqlite()
    assert isinstance(database, SQLite)
    database.write_now(counters.create)
    return database


def pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def put_cargo(connection: Connection) -> None:
    put(connection, 3)
    connection.exec_driver_sql("CREATE TABLE cargo AS SELECT zeroblob(1000000) AS bytes")


@pytest.mark.parametrize(
    ("name", "expected"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("mmap_size", 0)]
)
def test_every_connection_is_set_up(database: SQLite, name: str, expected: object) -> None:
    assert database.read_now(pragma, name) == expected
    assert database.write_now(pragma, name) == expected


def test_an_sqlite_that_loses_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "sqlite_version_info", (3, 51, 2))
    with pytest.raises(ConfigurationError, match=r"3\.51\.3"):
        SQLite(tmp_path / "mooring.db")


async def test_a_transaction_that_sqlite_ended_by_itself_is_nobodys_success(database: SQLite) -> None:
    """After some errors of the disk it rolls back all that the batch did before, and says so nowhere."""

    def rolled_back(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise Unavailable

    gate = Gate()
    first = asyncio.create_task(database.write(gate, 0))
    await asyncio.to_thread(gate.entered.wait)
    tasks = [asyncio.create_task(each) for each in (database.write(put, 1), database.write(rolled_back))]
    tasks.append(asyncio.create_task(database.write(put, 2)))
    await asyncio.sleep(0)
    gate.leave.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)
    acknowledged = [result for result in results if isinstance(result, int)]
    assert acknowledged == await database.read(numbers) == [0]
    assert await database.write(put, 3) == 3


async def test_what_waits_together_is_synced_once(database: SQLite) -> None:
    commits: list[Connection] = []
    event.listen(database.engine, "commit", commits.append)
    gate = Gate()
    first = asyncio.create_task(database.write(gate, 0))
    await asyncio.to_thread(gate.entered.wait)
    waiting = [asyncio.create_task(database.write(put, number)) for number in range(1, 51)]
    await asyncio.sleep(0)
    gate.leave.set()
    assert await asyncio.gather(first, *waiting) == list(range(51))
    assert len(commits) == 2


async def test_one_whose_iterator_ends_takes_nobody_along(database: SQLite) -> None:
    def ended(_connection: Connection) -> int:
        raise StopIteration

    gate = Gate()
    first = asyncio.create_task(database.write(gate, 0))
    await asyncio.to_thread(gate.entered.wait)
    waiting = [asyncio.create_task(each) for each in (database.write(ended), database.write(put, 1))]
    await asyncio.sleep(0)
    gate.leave.set()
    async with asyncio.timeout(10):
        _, failed, kept = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert isinstance(failed, RuntimeError)
    assert kept == 1


async def test_a_lock_that_does_not_end_is_unavailable(
    database: SQLite, open_sqlite: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    gate, impatient = Gate(), open_sqlite()
    writing = asyncio.create_task(database.write(gate, 1))
    await asyncio.to_thread(gate.entered.wait)
    with pytest.raises(Unavailable):
        await impatient.write(put, 2)
    gate.leave.set()
    await writing
    assert await impatient.write(put, 2) == 2


async def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 * MIB) as disk:
        database = SQLite(disk / "mooring.db")
        await database.write(counters.create)
        await database.write(put, 1)
        ballast = fill(disk)
        with pytest.raises(StorageFull):
            await database.write(put_cargo)
        assert await database.read(numbers) == [1]
        ballast.unlink()
        await database.write(put_cargo)
        assert await database.write(put, 2) == 2
        database.close()


async def test_a_read_only_directory_is_told_and_still_read(database: SQLite) -> None:
    await database.write(put, 1, 5)
    with read_only(database.path.parent):
        frozen = SQLite(database.path)
        with pytest.raises(StorageReadOnly):
            await frozen.write(put, 2)
        assert await frozen.read(value, 1) == 5
        frozen.close()
    assert await database.write(put, 2) == 2


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mooring.db"
    path.write_bytes(content)
    database = SQLite(path)
    with pytest.raises(Unavailable, match="damaged"):
        database.read_now(numbers)
    with pytest.raises(Unavailable, match="damaged"):
        database.write_now(put, 1)
    database.close()
    assert path.read_bytes() == content


async def test_another_program_may_read_the_file(database: SQLite) -> None:
    await database.write(put, 1)
    with sqlite3.connect(f"file:{database.path}?mode=ro", uri=True) as other:
        assert other.execute("SELECT id FROM counters").fetchall() == [(1,)]


def test_a_process_that_keeps_the_turn_is_waited_for_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was given up is not done when the turn comes after all: whoever asked was told that it was not."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    database, kept = SQLite(tmp_path / "mooring.db"), Turn(tmp_path)
    try:
        database.write_now(lambda connection: connection.exec_driver_sql("CREATE TABLE notes (id INTEGER)"))
        with kept.taken():
            for _ in range(2):
                with pytest.raises(Unavailable):
                    database.write_now(lambda c: c.exec_driver_sql("INSERT INTO notes VALUES (1)"))
        database.write_now(lambda connection: connection.exec_driver_sql("INSERT INTO notes VALUES (2)"))
        found = database.read_now(lambda connection: connection.exec_driver_sql("SELECT id FROM notes").all())
        assert [row[0] for row in found] == [2]
    finally:
        kept.close()
        database.close()
