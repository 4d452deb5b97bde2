"""Every implementation of the database: a new one is added here, and nowhere else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table

from mooring.database import Database
from mooring.database.postgresql import PostgreSQL
from mooring.database.sqlite import SQLite
from tests.postgresql import PostgreSQL as Server

OpenDatabase = Callable[[], Database]
"""Opens the same database once more, as another replica does."""

counters = Table(
    "counters",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Integer, nullable=False),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgresql"])
def open_database(request: pytest.FixtureRequest) -> OpenDatabase:
    made: OpenDatabase = request.getfixturevalue(f"open_{request.param}")
    made().write_now(_make_table)
    return made


@pytest.fixture
def open_sqlite(tmp_path: Path) -> Iterator[OpenDatabase]:
    databases: list[SQLite] = []

    def opened() -> SQLite:
        database = SQLite(tmp_path / "mooring.db")
        databases.append(database)
        return database

    yield opened
    for database in databases:
        database.close()


@pytest.fixture
def open_postgresql(postgresql: Server) -> Iterator[OpenDatabase]:
    address = postgresql.create()
    databases: list[PostgreSQL] = []

    def opened() -> PostgreSQL:
        database = PostgreSQL(address)
        databases.append(database)
        return database

    yield opened
    for database in databases:
        database.close()


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    return open_database()


def _make_table(connection: Connection) -> None:
    counters.create(connection)
