"""Procrastinate's schema, made whole or brought forward step by step, is the same one."""

from pathlib import Path

import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection

from mooring.database import procrastinate, schema
from mooring.database.postgresql import PostgreSQL
from tests.postgresql import PostgreSQL as Server

CHANGES = sorted(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
LATE = next(
    place
    for place in range(len(CHANGES), 0, -1)
    if "ADD VALUE" in (Path(SchemaManager.get_migrations_path()) / CHANGES[place - 1]).read_text()
)
"""After the last change that needs a transaction of its own: there is no such one since we began with 3.10."""

SHOWN = (
    """SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns
    WHERE starts_with(table_name, 'procrastinate') ORDER BY 1, 2""",
    """SELECT proname, pg_get_function_arguments(oid), prosrc FROM pg_proc
    WHERE starts_with(proname, 'procrastinate') ORDER BY 1, 2""",
    "SELECT indexname, indexdef FROM pg_indexes WHERE starts_with(tablename, 'procrastinate') ORDER BY 1",
    "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE starts_with(tgname, 'procrastinate') ORDER BY 1",
)


def shown(connection: Connection) -> list[object]:
    found = [[tuple(row) for row in connection.exec_driver_sql(each)] for each in SHOWN]
    note = connection.exec_driver_sql("SELECT obj_description('procrastinate_jobs'::regclass, 'pg_class')").scalar()
    return [*found, note]


def old(connection: Connection, upto: int) -> None:
    """As an earlier version of the package left it."""
    for name in CHANGES[:upto]:
        procrastinate._run(connection, (Path(SchemaManager.get_migrations_path()) / name).read_text())
        procrastinate._run(connection, "COMMIT; BEGIN")
    procrastinate._run(connection, f"COMMENT ON TABLE procrastinate_jobs IS '{CHANGES[upto - 1]}'")


@pytest.fixture(scope="module")
def whole(postgresql: Server) -> list[object]:
    database = PostgreSQL(postgresql.create())
    database.write_now(schema.migrate)
    found = database.read_now(shown)
    database.close()
    return found


def test_migrating_makes_it(whole: list[object]) -> None:
    assert all(whole)
    assert whole[-1] == CHANGES[-1]


def test_again_changes_nothing(postgresql: Server, whole: list[object]) -> None:
    database = PostgreSQL(postgresql.create())
    database.write_now(procrastinate.bring)
    database.write_now(procrastinate.bring)
    assert database.read_now(shown) == whole
    database.close()


@pytest.mark.parametrize("upto", sorted({LATE, len(CHANGES) - 1}))
def test_an_older_one_is_brought_forward(postgresql: Server, whole: list[object], upto: int) -> None:
    database = PostgreSQL(postgresql.create())
    database.write_now(old, upto)
    database.write_now(procrastinate.bring)
    assert database.read_now(shown) == whole
    database.close()
