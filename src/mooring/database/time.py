from sqlalchemy import Connection, text

_NOW = {
    "sqlite": text("SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)"),
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"),
}


def database_time(connection: Connection) -> int:
    """The database's own clock, in microseconds since the Unix epoch."""
    return int(connection.execute(_NOW[connection.dialect.name]).scalar_one())
