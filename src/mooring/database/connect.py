"""The database that the settings name."""

from sqlalchemy import Connection

from mooring.database.database import Database
from mooring.database.postgresql import PostgreSQL, refuse_unfit
from mooring.database.sqlite import SQLite
from mooring.settings import Settings


def connect(settings: Settings) -> Database:
    """Raises ConfigurationError. Whether the server answers is seen at the first transaction."""
    if settings.database_is_shared:
        assert settings.database_url is not None
        return PostgreSQL(settings.database_url.get_secret_value())
    return SQLite(settings.database_path)


def require_fit(connection: Connection) -> None:
    """Raises ConfigurationError for a server that Mooring can't work with."""
    if connection.dialect.name == "postgresql":
        refuse_unfit(connection)
