"""A database with a table of the tests' own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table

from mooring.database import Database
from tests import postgresql as servers
from tests.databases import OpenDatabase
from tests.postgresql import PostgreSQL as Server

counters = Table(
    "counters",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Integer, nullable=False),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """One that these tests may stop."""
    with servers.running() as server:
        yield server


@pytest.fixture
def open_database(open_empty: OpenDatabase) -> OpenDatabase:
    open_empty().write_now(_make_table)
    return open_empty


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    return open_database()


def _make_table(connection: Connection) -> None:
    counters.create(connection)
