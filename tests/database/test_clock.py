"""Cluster time: the database's clock, whatever this machine's wall clock says."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from mooring.cluster import clock
from mooring.cluster.clock import SECOND, Clock, rfc3339
from mooring.database.sqlite import SQLite
from mooring.database.time import database_time

HOUR = 3600 * SECOND


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SQLite]:
    database = SQLite(tmp_path / "mooring.db")
    yield database
    database.close()


@pytest.fixture
def hours_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database whose clock is two hours ahead of ours."""
    monkeypatch.setattr(clock, "database_time", lambda connection: database_time(connection) + 2 * HOUR)


def test_the_database_tells_the_time_in_microseconds(database: SQLite) -> None:
    assert abs(database.read_now(database_time) - time.time_ns() // 1000) < 5 * SECOND


def test_it_is_the_databases_time_and_not_ours(database: SQLite, hours_ahead: None) -> None:
    found = Clock(database)
    assert abs(found.now() - database.read_now(database_time) - 2 * HOUR) < SECOND
    assert abs(found.wall_offset + 2 * HOUR) < SECOND


def test_a_wall_clock_that_jumps_moves_nothing(database: SQLite, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Clock(database)
    before, wall = found.now(), time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: wall + 24 * HOUR * 1000)
    monkeypatch.setattr(time, "time", lambda: wall / 1e9 + 24 * 3600)
    assert 0 <= found.now() - before < 5 * SECOND
    assert abs(found.wall_offset - 24 * HOUR) < 5 * SECOND


def test_it_goes_on_between_samples(database: SQLite) -> None:
    found = Clock(database)
    readings = [found.now() for _ in range(1000)]
    assert readings == sorted(readings)


def test_a_slow_answer_widens_the_error_that_it_admits(database: SQLite, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(connection: Connection) -> int:
        found = database_time(connection)
        time.sleep(0.1)
        return found

    monkeypatch.setattr(clock, "database_time", slow)
    found = Clock(database)
    assert found.error >= 0.05 * SECOND
    assert abs(found.now() - database.read_now(database_time)) <= found.error + 0.05 * SECOND


def test_times_are_shown_in_utc() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_700_000_000_123_456) == "2023-11-14T22:13:20.123Z"
