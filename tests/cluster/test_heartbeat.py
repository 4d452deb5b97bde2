"""Replicas as the database knows them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.cluster import heartbeat
from mooring.cluster.heartbeat import FORGET, LIFE, Pulse
from mooring.database import schema
from mooring.database.sqlite import SQLite

READY, UNREADY = Pulse(ready=True), Pulse(ready=False, failed={"store": "away"})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SQLite]:
    database = SQLite(tmp_path / "mooring.db")
    database.write_now(schema.migrate)
    yield database
    database.close()


def test_only_ready_and_living_replicas_serve(database: SQLite) -> None:
    database.write_now(heartbeat.beat, 0, "dead", READY)
    database.write_now(heartbeat.beat, LIFE, "ready", READY)
    database.write_now(heartbeat.beat, LIFE, "unready", UNREADY)
    assert database.read_now(heartbeat.serving, LIFE) == {"ready"}


def test_what_a_replica_says_of_itself_is_kept(database: SQLite) -> None:
    pulse = Pulse(False, {"store": "away"}, ["a", "b"], 3, -5, 7)
    database.write_now(heartbeat.beat, 1, "one", READY)
    database.write_now(heartbeat.beat, 2, "one", pulse)
    (found,) = database.read_now(heartbeat.known)
    assert (found.pulse, found.started_at, found.seen_at) == (pulse, 1, 2)


def test_one_that_left_is_gone(database: SQLite) -> None:
    database.write_now(heartbeat.beat, 1, "one", READY)
    database.write_now(heartbeat.leave, "one")
    assert not database.read_now(heartbeat.known)


def test_one_that_died_is_forgotten_in_the_end(database: SQLite) -> None:
    database.write_now(heartbeat.beat, 0, "dead", READY)
    database.write_now(heartbeat.beat, FORGET + 1, "new", READY)
    assert [replica.name for replica in database.read_now(heartbeat.known)] == ["new"]
