"""Pulls on their way to the database."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert, select

from mooring.database.sqlite import SQLite
from mooring.errors import Unavailable
from mooring.registry.pulls import Pulls
from mooring.registry.tables import repositories
from tests.http.site import Site


def make(connection: Connection) -> None:
    row = {"id": 7, "project_id": 1, "name": "library/app", "created_at": 1, "updated_at": 1}
    connection.execute(insert(repositories).values(row))


def counted(connection: Connection) -> int:
    return int(connection.execute(select(repositories.c.pull_count).where(repositories.c.id == 7)).scalar_one())


def test_a_pull_that_could_not_be_written_is_counted_the_next_time(tmp_path: Path) -> None:
    def away(*_call: object) -> None:
        raise Unavailable

    with Site(tmp_path) as site:
        site.write(make)
        database, pulls = site.parts.database, Pulls()
        assert isinstance(database, SQLite)
        pulls.note(1, 7, None, 1)
        event.listen(database.engine, "before_cursor_execute", away)
        with pytest.raises(Unavailable):
            site.run(pulls.flush(database))
        event.remove(database.engine, "before_cursor_execute", away)
        pulls.note(1, 7, None, 2)
        site.run(pulls.flush(database))
        assert site.read(counted) == 2


def test_a_pull_that_is_being_written_at_the_end_is_counted_once(tmp_path: Path) -> None:
    held, go = threading.Event(), threading.Event()

    def hold(_connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("UPDATE repositories"):
            held.set()
            go.wait(20)

    with Site(tmp_path) as site:
        site.write(make)
        database, pulls = site.parts.database, Pulls()
        assert isinstance(database, SQLite)
        event.listen(database.engine, "before_cursor_execute", hold)
        pulls.note(1, 7, None, 1)

        async def end() -> None:
            flushing = asyncio.ensure_future(pulls.flush(database))
            assert await asyncio.to_thread(held.wait, 20)
            flushing.cancel()
            await asyncio.sleep(0)
            go.set()
            await asyncio.gather(flushing, return_exceptions=True)
            await pulls.flush(database)

        site.run(end())
        assert site.read(counted) == 1
