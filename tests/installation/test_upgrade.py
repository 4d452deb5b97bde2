"""A start on the data of an older version."""

from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from mooring.cluster.master_key import MasterKey, master_key
from mooring.database import revisions, schema
from mooring.database.sqlite import SQLite
from mooring.errors import ConfigurationError
from mooring.installation import install
from mooring.settings import Settings, load

REVISIONS = [script.revision for script in ScriptDirectory(str(revisions.MIGRATIONS)).walk_revisions()]


def left_by(revision: str, settings: Settings) -> MasterKey:
    """A data directory as the version with this schema left it: its cluster had no more columns than these."""
    settings.data.mkdir()
    sealing = master_key(settings, create=True)
    database = SQLite(settings.database_path)
    database.write_now(_upgrade, revision)
    database.write_now(_establish, sealing)
    database.close()
    return sealing


def _upgrade(connection: Connection, revision: str) -> None:
    config = revisions.config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _establish(connection: Connection, sealing: MasterKey) -> None:
    statement = "INSERT INTO cluster (id, cluster_id, master_key_check, created_at) VALUES (1, 'old', :check_value, 1)"
    connection.execute(text(statement), {"check_value": sealing.check_value()})


@pytest.mark.parametrize("revision", REVISIONS)
def test_starts_on_what_an_older_version_left(tmp_path: Path, revision: str) -> None:
    settings = load(data=tmp_path / "data")
    left_by(revision, settings)
    install(settings)
    database = SQLite(settings.database_path)
    database.read_now(schema.require_served)
    database.close()
    assert (settings.data / "objects" / "cluster-id").read_text() == "old\n"


@pytest.mark.parametrize("revision", REVISIONS)
def test_finds_a_wrong_master_key_before_it_changes_anything(tmp_path: Path, revision: str) -> None:
    settings = load(data=tmp_path / "data")
    left_by(revision, settings)
    (settings.data / "master.key").unlink()
    master_key(settings, create=True)
    with pytest.raises(ConfigurationError, match="master key is not the one"):
        install(settings)
    database = SQLite(settings.database_path)
    assert database.read_now(schema.version) == revision
    database.close()
