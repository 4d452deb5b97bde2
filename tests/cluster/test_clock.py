"""Cluster time is the database's, whatever this machine's wall clock says."""

import time
from pathlib import Path

import pytest

from mooring.cluster.clock import SECOND, Clock, rfc3339
from mooring.database.sqlite import SQLite

TWO_HOURS = 7200 * SECOND


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(SQLite(tmp_path / "mooring.db"))


@pytest.mark.parametrize("jump", [TWO_HOURS, -TWO_HOURS])
def test_a_wall_clock_that_jumps_changes_nothing(clock: Clock, jump: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = clock.now(), time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + jump * 1000)
    monkeypatch.setattr(time, "time", lambda: (real() + jump * 1000) / 1e9)
    assert abs(clock.now() - before) < 5 * SECOND
    assert abs(clock.wall_offset - jump) < 5 * SECOND


def test_it_goes_on_between_samples(clock: Clock) -> None:
    readings = [clock.now() for _ in range(1000)]
    assert readings == sorted(readings)


def test_its_error_is_known(clock: Clock) -> None:
    clock.synchronise()
    assert 0 <= clock.error < 5 * SECOND


def test_times_are_shown_as_rfc3339() -> None:
    assert rfc3339(1_700_000_000_123_000) == "2023-11-14T22:13:20.123Z"
