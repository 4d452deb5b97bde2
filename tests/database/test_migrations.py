"""The schema: made, brought forward, and refused where it is another version's."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

import mooring
from mooring.database import revisions, schema
from mooring.database.metadata import metadata
from mooring.database.revisions import Phase
from mooring.database.sqlite import SQLite
from mooring.errors import ConfigurationError

REVISIONS = [script.revision for script in ScriptDirectory(str(revisions.MIGRATIONS)).walk_revisions()]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SQLite]:
    database = SQLite(tmp_path / "mooring.db")
    yield database
    database.close()


@pytest.fixture(scope="module", autouse=True)
def _every_table() -> None:
    for module in pkgutil.walk_packages(mooring.__path__, "mooring."):
        if module.name.endswith(".tables"):
            importlib.import_module(module.name)


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def upgrade(connection: Connection, revision: str) -> None:
    config = revisions.config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def mark(connection: Connection, revision: str) -> None:
    connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    connection.exec_driver_sql(f"UPDATE schema_window SET oldest = '{revision}'")


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def test_a_new_database_has_just_the_tables_that_the_code_declares(database: SQLite) -> None:
    database.write_now(schema.migrate)
    assert database.read_now(differences) == []
    assert database.read_now(tables) == {*metadata.tables, "alembic_version"}


def test_a_difference_would_be_found(database: SQLite) -> None:
    database.write_now(schema.migrate)
    database.write_now(lambda connection: connection.exec_driver_sql("DROP INDEX ix_uploads_touched_at"))
    assert database.read_now(differences) != []


def test_a_new_database_is_current(database: SQLite) -> None:
    database.write_now(schema.migrate)
    database.read_now(schema.require_served)


def test_migrating_again_changes_nothing(database: SQLite) -> None:
    database.write_now(schema.migrate)
    database.write_now(schema.migrate)
    assert database.read_now(differences) == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_older_schema_is_brought_to_this_one(database: SQLite, revision: str) -> None:
    database.write_now(upgrade, revision)
    database.write_now(schema.migrate)
    database.read_now(schema.require_served)
    assert database.read_now(differences) == []


@pytest.mark.parametrize("revision", REVISIONS[1:])
def test_an_older_schema_is_not_served(database: SQLite, revision: str) -> None:
    database.write_now(upgrade, revision)
    with pytest.raises(ConfigurationError, match="mooring migrate"):
        database.read_now(schema.require_served)


def test_no_schema_at_all_is_not_served(database: SQLite) -> None:
    with pytest.raises(ConfigurationError, match="mooring migrate"):
        database.read_now(schema.require_served)


def test_a_newer_schema_is_neither_served_nor_touched(database: SQLite) -> None:
    database.write_now(schema.migrate)
    database.write_now(mark, "v9999")
    with pytest.raises(ConfigurationError, match="newer version"):
        database.read_now(schema.require_served)
    with pytest.raises(ConfigurationError, match="newer version"):
        database.write_now(schema.migrate)
    assert database.read_now(schema.version) == "v9999"


def test_a_migration_that_fails_leaves_nothing_half_made(database: SQLite) -> None:
    """Killed, it would leave the same: SQLite takes back what was not committed."""

    def fail(connection: Connection) -> None:
        schema.migrate(connection)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.write_now(fail)
    assert database.read_now(tables) == set()


def test_revisions_follow_one_another_in_one_line() -> None:
    scripts = ScriptDirectory(str(revisions.MIGRATIONS))
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1


def test_every_revision_says_in_which_phase_it_is_applied() -> None:
    assert [revision.name for revision in revisions.known()] == REVISIONS[::-1]
    assert {revision.phase for revision in revisions.known()} <= {Phase.BEFORE, Phase.AFTER}
