"""The schema of Procrastinate, in PostgreSQL beside our own.

Its package has the whole schema of its version, and one file for each change since the first. Which of them a database
has is noted in a comment on its table of jobs, so that any version that we take later finds from where to go on: that
takes a new revision of ours which calls `bring` again.
"""

from pathlib import Path

from sqlalchemy import Connection, text

from mooring.database.rows import Backlog

_NOTED = text("SELECT obj_description(to_regclass('procrastinate_jobs'), 'pg_class')")
_THERE = text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")

_DUE = text(
    "SELECT count(*), (extract(epoch FROM min(scheduled_at)) * 1000000)::bigint FROM procrastinate_jobs "
    "WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= to_timestamp(:now / 1000000.0))"
)


def backlog(connection: Connection, now: int) -> Backlog:
    """Jobs that nobody has begun, though their time has come: by cluster time, which `jobs.doorbell` schedules them by.

    Of those that were rung for now, no time is known.
    """
    waiting, oldest = connection.execute(_DUE, {"now": now}).one()
    return Backlog(int(waiting), now - oldest if oldest is not None else 0)


def bring(connection: Connection) -> None:
    """Make the schema, or bring it to the version of the package."""
    # Only where there is a PostgreSQL to use it with.
    from procrastinate.schema import SchemaManager  # noqa: PLC0415

    changes = sorted(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    if connection.execute(_THERE).scalar():
        noted = connection.execute(_NOTED).scalar() or ""
        for name in changes:
            if name > noted:
                _run(connection, (Path(SchemaManager.get_migrations_path()) / name).read_text(encoding="utf-8"))
    else:
        _run(connection, SchemaManager.get_schema())
    _run(connection, f"COMMENT ON TABLE procrastinate_jobs IS '{changes[-1]}'")


def _run(connection: Connection, script: str) -> None:
    """Many statements at once, which only the driver itself takes, and takes as they are."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(script)
