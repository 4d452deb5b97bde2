"""Bring the database to this version's schema, or say that it is not."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from mooring.database import locks
from mooring.errors import ConfigurationError

MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE_SECONDS = 600


def migrate(connection: Connection) -> None:
    """Raises ConfigurationError for a newer version's schema. Replicas that start together take turns."""
    locks.hold(connection, "schema", patience_seconds=PATIENCE_SECONDS)
    config = _config()
    config.attributes["connection"] = connection
    refuse_newer(connection)
    command.upgrade(config, "head")


def refuse_newer(connection: Connection) -> None:
    found = version(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            f"The database has schema {found}, which this version of Mooring does not know. "
            "It was written by a newer version: start that one."
        )


def require_current(connection: Connection) -> None:
    """Raises ConfigurationError when the schema is older or newer than this program's."""
    refuse_newer(connection)
    found, wanted = version(connection), newest()
    if found != wanted:
        raise ConfigurationError(
            f"The database has schema {found or 'none'}; this version of Mooring needs {wanted}. Run `mooring migrate`."
        )


def version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    return _scripts().get_current_head()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
