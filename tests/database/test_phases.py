"""An upgrade in two phases: what each applies, who may serve then, and whom the second one waits for."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, update

from mooring.cluster import heartbeat
from mooring.cluster.heartbeat import LIFE, Pulse
from mooring.cluster.tables import replicas
from mooring.database import Database, revisions, schema
from mooring.database.revisions import Phase, Revision
from mooring.database.sqlite import SQLite
from mooring.database.time import database_time
from mooring.errors import Foreign, PreconditionFailed
from tests import next as upgraded
from tests.databases import OpenDatabase
from tests.next import AFTER, BEFORE, PRESENT

PLACES = revisions.PLACES


@pytest.fixture
def database(open_empty: OpenDatabase) -> Database:
    """As the present version left it."""
    made = open_empty()
    made.write_now(schema.migrate)
    return made


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> "Program":
    return Program(monkeypatch)


class Program:
    """What this process takes itself for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def present(self) -> None:
        self._monkeypatch.setattr(revisions, "PLACES", PLACES)

    def next(self) -> None:
        self._monkeypatch.setattr(revisions, "PLACES", (*PLACES, upgraded.VERSIONS))


def migrate(database: Database, phase: Phase) -> list[str]:
    return list(database.write_now(schema.migrate, phase, heartbeat.require_upgraded))


def served(database: Database) -> bool:
    try:
        database.read_now(schema.require_served)
    except Foreign:
        return False
    return True


def beat(database: Database, name: str, failed: dict[str, str] | None = None) -> None:
    def now_and_beat(connection: Connection) -> None:
        heartbeat.beat(connection, database_time(connection), name, Pulse(ready=not failed, failed=failed or {}))

    database.write_now(now_and_beat)


def columns(connection: Connection) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns("tags")}


def test_an_empty_database_gets_everything_in_any_phase(program: Program, tmp_path: Path) -> None:
    program.next()
    database = SQLite(tmp_path / "empty.db")
    assert migrate(database, Phase.BEFORE)[-2:] == [BEFORE, AFTER]
    assert served(database)
    program.present()
    assert not served(database)
    database.close()


def test_between_the_phases_both_versions_serve(database: Database, program: Program) -> None:
    program.next()
    assert migrate(database, Phase.BEFORE) == [BEFORE]
    assert "berth" in database.read_now(columns)
    assert served(database)
    assert [revision.name for revision in database.read_now(schema.pending)] == [AFTER]
    program.present()
    assert served(database)


def test_after_the_second_phase_only_the_newer_one_serves(database: Database, program: Program) -> None:
    program.next()
    migrate(database, Phase.BEFORE)
    assert migrate(database, Phase.AFTER) == [AFTER]
    assert served(database)
    assert not database.read_now(schema.pending)
    program.present()
    with pytest.raises(
        Foreign, match=f"has schema {AFTER}, which only versions of Mooring that know {AFTER} may serve"
    ):
        database.read_now(schema.require_served)


def test_the_newer_one_does_not_serve_before_the_first_phase(database: Database, program: Program) -> None:
    program.next()
    with pytest.raises(Exception, match=f"has schema {PRESENT}; this version of Mooring needs {BEFORE}"):
        database.read_now(schema.require_served)


def test_the_phases_keep_their_order(database: Database, program: Program) -> None:
    program.next()
    with pytest.raises(
        PreconditionFailed, match=f"lacks schema {BEFORE}, which comes before the replicas are upgraded"
    ):
        migrate(database, Phase.AFTER)
    assert database.read_now(schema.version) == PRESENT


@pytest.mark.parametrize("phase", [Phase.AFTER, Phase.ALL])
def test_the_second_phase_waits_for_every_replica_of_the_older_version(
    database: Database, program: Program, phase: Phase
) -> None:
    beat(database, "old-1")
    beat(database, "old-2")
    program.next()
    beat(database, "new-1")
    if phase is Phase.AFTER:
        migrate(database, Phase.BEFORE)
    before = database.read_now(schema.version)
    with pytest.raises(PreconditionFailed, match="still need: old-1, old-2"):
        migrate(database, phase)
    assert database.read_now(schema.version) == before, "nothing is half done"
    database.write_now(heartbeat.leave, "old-1")
    database.write_now(lambda c: c.execute(update(replicas).values(seen_at=replicas.c.seen_at - LIFE)))
    beat(database, "new-1")
    assert migrate(database, phase)[-1] == AFTER


def test_one_that_does_not_serve_for_its_schema_is_not_waited_for(database: Database, program: Program) -> None:
    beat(database, "old-1", {"schema": "too new"})
    program.next()
    assert migrate(database, Phase.ALL) == [BEFORE, AFTER]


def test_one_that_does_not_serve_for_another_reason_is_waited_for(database: Database, program: Program) -> None:
    beat(database, "old-1", {"store": "away"})
    program.next()
    with pytest.raises(PreconditionFailed, match="old-1"):
        migrate(database, Phase.ALL)


def test_one_of_a_still_newer_version_is_not_waited_for(database: Database, program: Program) -> None:
    program.next()
    migrate(database, Phase.BEFORE)
    beat(database, "newest")
    database.write_now(lambda c: c.execute(update(replicas).values(schema="unheard of")))
    assert migrate(database, Phase.AFTER) == [AFTER]


def test_an_older_version_that_may_serve_leaves_the_newer_schema_alone(database: Database, program: Program) -> None:
    """So a deployment can be rolled back between the phases: its migration has nothing to do."""
    program.next()
    migrate(database, Phase.BEFORE)
    program.present()
    for phase in Phase:
        assert migrate(database, phase) == []
    assert database.read_now(schema.version) == BEFORE


def test_an_older_version_that_may_not_serve_changes_nothing(database: Database, program: Program) -> None:
    program.next()
    migrate(database, Phase.ALL)
    program.present()
    for phase in Phase:
        with pytest.raises(Foreign, match="newer version"):
            migrate(database, phase)
    assert database.read_now(schema.version) == AFTER


def test_each_phase_again_changes_nothing(database: Database, program: Program) -> None:
    program.next()
    for phase in (Phase.BEFORE, Phase.AFTER):
        assert migrate(database, phase)
        assert migrate(database, phase) == []


def test_a_version_that_was_skipped_takes_away_first_what_the_next_one_builds_on() -> None:
    ended, added = Revision("a", Phase.AFTER), Revision("b", Phase.BEFORE)
    assert schema._due([ended, added], Phase.BEFORE) == [ended, added]
    assert schema._due([added, ended], Phase.BEFORE) == [added]
    assert schema._due([ended], Phase.BEFORE) == []
    assert schema._due([ended], Phase.AFTER) == [ended]
    assert schema._due([added, ended], Phase.ALL) == [added, ended]
