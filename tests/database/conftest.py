"""A database with a table of the tests' own."""

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table

from mooring.database import Database
from tests.databases import OpenDatabase

counters = Table(
    "counters",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Integer, nullable=False),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def open_database(open_empty: OpenDatabase) -> OpenDatabase:
    open_empty().write_now(_make_table)
    return open_empty


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    return open_database()


def _make_table(connection: Connection) -> None:
    counters.create(connection)
