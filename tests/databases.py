"""Every implementation of the database: a new one is added here, and nowhere else."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mooring.database import Database
from mooring.database.postgresql import PostgreSQL
from mooring.database.sqlite import SQLite
from tests.postgresql import PostgreSQL as Server

OpenDatabase = Callable[[], Database]
"""Opens the same database once more, as another replica does."""


@pytest.fixture(params=["sqlite", "postgresql"])
def open_empty(request: pytest.FixtureRequest) -> OpenDatabase:
    """An empty database of each kind."""
    made: OpenDatabase = request.getfixturevalue(f"open_{request.param}")
    return made


@pytest.fixture
def open_sqlite(tmp_path: Path) -> Iterator[OpenDatabase]:
    yield from _opening(partial(SQLite, tmp_path / "mooring.db"))


@pytest.fixture
def open_postgresql(postgresql: Server) -> Iterator[OpenDatabase]:
    yield from _opening(partial(PostgreSQL, postgresql.create()))


def _opening(make: OpenDatabase) -> Iterator[OpenDatabase]:
    databases: list[Database] = []

    def opened() -> Database:
        databases.append(make())
        return databases[-1]

    yield opened
    for database in databases:
        database.close()
