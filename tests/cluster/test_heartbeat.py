"""Replicas as the database knows them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.cluster import heartbeat
from mooring.cluster.heartbeat import FORGET, LIFE, Pulse
from mooring.database import schema
from mooring.database.sqlite import SQLite
from mooring.database.time import database_time
from mooring.errors import PreconditionFailed

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
    pulse = Pulse(False, {"store": "away"}, ["a", "b"], 3, -5, 7, "a1b2c3", "host", ["fingerprint"])
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


def on(server: str, host: str = "host", role: str = heartbeat.SERVER) -> Pulse:
    return Pulse(ready=True, server=server, host=host, role=role)


def test_two_servers_under_one_name_are_noticed(database: SQLite) -> None:
    for now in (1, 2):
        database.write_now(heartbeat.beat, now, "web/7-a", on("a", "east"))
        database.write_now(heartbeat.beat, now, "web/7-b", on("b", "west"))
    found = database.read_now(heartbeat.known)
    assert len(found) == 2, "neither has written over the other"
    assert heartbeat.namesakes(found, 2) == {"web": ["east", "west"]}
    assert "on east and west" in heartbeat.shared_name("web", ["east", "west"])


def test_workers_of_one_server_may_share_its_name(database: SQLite) -> None:
    for name in ("web/7-a", "web/8-a"):
        database.write_now(heartbeat.beat, 1, name, on("a"))
    assert heartbeat.namesakes(database.read_now(heartbeat.known), 2) == {}


def test_a_worker_beside_a_server_may_share_its_name(database: SQLite) -> None:
    for now in (1, 2):
        database.write_now(heartbeat.beat, now, "web/7-a", on("a"))
        database.write_now(heartbeat.beat, now, "web/8-b", on("b", role=heartbeat.WORKER))
    assert heartbeat.namesakes(database.read_now(heartbeat.known), 2) == {}


def test_the_successor_of_one_that_was_killed_has_its_name_to_itself(database: SQLite) -> None:
    database.write_now(heartbeat.beat, 1, "web/7-a", on("a"))
    for now in (2, 3):
        database.write_now(heartbeat.beat, now, "web/7-b", on("b"))
    assert heartbeat.namesakes(database.read_now(heartbeat.known), 3) == {}


def test_the_next_master_key_is_waited_for_by_name(database: SQLite) -> None:
    now = database.read_now(database_time)
    database.write_now(heartbeat.beat, now, "new", Pulse(ready=True, master_keys=["next", "old"]))
    database.write_now(heartbeat.beat, now, "wrong", Pulse(False, {"master_key": "no"}, master_keys=["another"]))
    database.read_now(heartbeat.require_holding, "next")
    database.write_now(heartbeat.beat, now, "late", Pulse(ready=True, master_keys=["old"]))
    with pytest.raises(PreconditionFailed, match="not given the new master key yet: late"):
        database.read_now(heartbeat.require_holding, "next")
