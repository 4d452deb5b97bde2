"""Puts a population into a registry's database by the way that is fastest in each."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, select

from bench.population import COLUMNS, Rows
from mooring.database import Database
from mooring.database.postgresql import PostgreSQL
from mooring.projects.tables import projects

NUMBERED = ("repositories", "manifests", "tags")


def load(database: Database, many: Iterable[Rows]) -> int:
    """Answers how many rows went in. The database is a new one, installed."""
    loaded = 0
    for rows in many:
        first = not loaded
        loaded += database.write_now(_insert, rows)
        if first:
            database.write_now(_learn)
    if isinstance(database, PostgreSQL):
        _settle(database)
    return loaded


def project(connection: Connection) -> int:
    return int(connection.execute(select(projects.c.id).where(projects.c.name == "library")).scalar_one())


def _insert(connection: Connection, rows: Rows) -> int:
    driver: Any = connection.connection.driver_connection
    if isinstance(driver, psycopg.Connection):
        driver.execute("SET LOCAL statement_timeout = 0")
    for table, columns in COLUMNS.items():
        if isinstance(driver, psycopg.Connection):
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            copying = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with driver.cursor().copy(copying) as copy:
                for row in rows[table]:
                    copy.write_row(row)
        else:
            named, holders = ", ".join(columns), ", ".join("?" * len(columns))
            driver.executemany(f"INSERT INTO {table} ({named}) VALUES ({holders})", rows[table])
    return sum(map(len, rows.values()))


def _learn(connection: Connection) -> None:
    """PostgreSQL goes on checking foreign keys by plans that it made when the tables were empty."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")


def _settle(database: PostgreSQL) -> None:
    """Let it know the next numbers, and what its autovacuum would find out some time later."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        for table in NUMBERED:
            number = f"setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            connection.exec_driver_sql(f"SELECT {number}")
        connection.exec_driver_sql("VACUUM ANALYZE")
        connection.exec_driver_sql("RESET statement_timeout")
