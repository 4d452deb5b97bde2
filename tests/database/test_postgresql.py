"""What only PostgreSQL does: outages, a bounded pool, and plans that follow an index."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Integer, bindparam, event, select, text

from mooring.database import schema, short
from mooring.database.lookup import Lookup
from mooring.database.postgresql import PostgreSQL
from mooring.errors import ConfigurationError, Invalid, StorageFull, Unavailable
from mooring.projects import standing
from mooring.registry import blobs, collection, manifest_index, referrers, repositories, reviews, uploads
from mooring.registry import tags as tag_pages
from tests.postgresql import PostgreSQL as Server

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000_000_000


@pytest.fixture
def database(own_server: Server) -> Iterator[PostgreSQL]:
    opened = PostgreSQL(own_server.create())
    yield opened
    own_server.resume()
    opened.close()


itself = Lookup(
    select(bindparam("number", type_=Integer)), ("number",), lambda row: None if row is None else int(row[0])
)


def one(connection: Connection) -> int:
    return int(connection.execute(select(1)).scalar_one())


def run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def sleep(connection: Connection, seconds: float) -> None:
    connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


def end_everybody_else(connection: Connection) -> None:
    connection.exec_driver_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )


async def test_looks_that_come_together_go_together(database: PostgreSQL) -> None:
    trips: list[str] = []
    database.observed_by(lambda what, _seconds, _failed: trips.append(what))
    found = await asyncio.gather(*(database.read(itself, number) for number in range(40)))
    assert found == list(range(40))
    assert len(trips) == 1


async def test_a_look_that_fails_takes_no_other_one_along(database: PostgreSQL) -> None:
    asked = [database.read(itself, number) for number in (1, 2**70, 3)]
    first, second, third = await asyncio.gather(*asked, return_exceptions=True)
    assert (first, third) == (1, 3)
    assert isinstance(second, Invalid)


async def test_looks_survive_the_end_of_their_connection(database: PostgreSQL) -> None:
    assert await database.read(itself, 1) == 1
    await database.write(end_everybody_else)
    found = await asyncio.gather(*(database.read(itself, number) for number in range(10)))
    assert found == list(range(10))


async def test_looks_are_answered_again_when_the_server_is_back(database: PostgreSQL, own_server: Server) -> None:
    assert await database.read(itself, 1) == 1
    own_server.stop()
    waiting = asyncio.gather(*(database.read(itself, number) for number in range(5)))
    await asyncio.to_thread(own_server.start)
    assert await waiting == list(range(5))


async def test_a_read_outlives_its_connection(database: PostgreSQL) -> None:
    await asyncio.gather(*(database.read(one) for _ in range(20)))
    await database.write(end_everybody_else)
    assert await asyncio.gather(*(database.read(one) for _ in range(20))) == [1] * 20
    await database.write(end_everybody_else)
    assert await asyncio.gather(*(database.read(short(one)) for _ in range(20))) == [1] * 20


async def test_a_write_whose_connection_broke_before_it_began_is_made(database: PostgreSQL) -> None:
    await database.write(run, "CREATE TABLE notes (id int)")
    await asyncio.gather(*(database.read(sleep, 0.05) for _ in range(10)))
    await database.write(end_everybody_else)
    await asyncio.gather(
        *(database.write(lambda c: c.execute(text("INSERT INTO notes VALUES (1)"))) for _ in range(10))
    )
    assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM notes")).scalar()) == 10


async def test_a_restart_is_waited_for(database: PostgreSQL, own_server: Server) -> None:
    await database.write(run, "CREATE TABLE notes (id int)")
    own_server.stop()
    asked = [
        *(asyncio.create_task(database.read(one)) for _ in range(5)),
        *(asyncio.create_task(database.write(run, "INSERT INTO notes VALUES (1)")) for _ in range(5)),
    ]
    await asyncio.sleep(0.5)
    assert not any(each.done() for each in asked)
    await asyncio.to_thread(own_server.start)
    await asyncio.gather(*asked)
    assert await database.read(lambda c: c.execute(text("SELECT count(*) FROM notes")).scalar()) == 5


async def test_a_restart_is_an_outage_that_ends(
    database: PostgreSQL, own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mooring.database.postgresql.RETURN_SECONDS", 1.0)
    assert await database.read(one) == 1
    own_server.stop()
    try:
        for ask in (database.read, database.write):
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await ask(one)
            assert time.monotonic() - began < 5
    finally:
        own_server.start()
    assert await database.read(one) == 1
    assert await database.write(one) == 1


async def test_a_crash_is_an_outage_that_ends(database: PostgreSQL, own_server: Server) -> None:
    assert await database.read(one) == 1
    own_server.stop(fast=False)
    try:
        with pytest.raises(Unavailable):
            await database.write(one)
    finally:
        own_server.start()
    assert await database.write(one) == 1


async def test_more_than_the_pool_holds_wait_for_a_bounded_time(
    database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mooring.database.postgresql.POOL_SECONDS", 0.5)
    results = await asyncio.gather(*(database.read(sleep, 2.0) for _ in range(14)), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [Unavailable] * 4
    assert await database.read(one) == 1


async def test_a_server_that_says_nothing_is_given_up(
    database: PostgreSQL, own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mooring.database.postgresql.ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("mooring.database.postgresql.POOL_SECONDS", 0.5)
    assert await database.read(one) == 1
    own_server.pause()
    began = time.monotonic()
    results = await asyncio.gather(*(database.read(one) for _ in range(15)), return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert time.monotonic() - began < 3
    own_server.resume()
    end = time.monotonic() + 15
    while True:
        try:
            assert await database.read(one) == 1
            return
        except Unavailable:
            assert time.monotonic() < end


async def test_connections_that_the_server_refuses_are_an_outage(own_server: Server) -> None:
    address = own_server.create()
    name = address.rpartition("/")[2]
    own_server.run(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    own_server.run("DROP ROLE IF EXISTS sailor")
    own_server.run("CREATE ROLE sailor LOGIN")
    refused = PostgreSQL(address.replace("postgres@", "sailor@"))
    with pytest.raises(Unavailable):
        await refused.read(one)
    refused.close()


@pytest.mark.parametrize(
    ("state", "kind"),
    [("53100", StorageFull), *((state, Unavailable) for state in ("25006", "53300", "57P03", "55P03"))],
)
async def test_what_the_server_says_is_told(database: PostgreSQL, state: str, kind: type[Exception]) -> None:
    def fail(connection: Connection) -> None:
        connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{state}'; END $$")

    with pytest.raises(kind):
        await database.write(fail)


async def test_a_read_writes_nothing(database: PostgreSQL) -> None:
    with pytest.raises(Unavailable):
        await database.read(run, "CREATE TABLE notes (id int)")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="MOORING_DATABASE_URL"):
        PostgreSQL("postgresql://host/name?no_such_option=1")


LOOKUPS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "manifest by tag": (manifest_index.by_tag, ("library/r500", "t5")),
    "manifest by digest": (manifest_index.by_digest, ("library/r500", "sha256:m5000")),
    "blob": (blobs.find, ("library/r500", "sha256:b5000")),
    "repository": (repositories.find, ("library/r500",)),
    "tags": (tag_pages.page, ("library/r500", "t1", 100)),
    "referrers": (referrers.page, ("library/r500", "sha256:m5000", "", "")),
    "standing of a user": (standing.evaluate, ("user:500", "p500", NOW)),
    "due reviews": (reviews.review_due, (NOW - 1, 1)),
    "due removals": (collection.due_removals, (NOW - 1,)),
    "idle uploads": (collection.reap_uploads, (NOW, NOW)),
}

FILL = """
INSERT INTO users (username, password_hash, realname, comment, system_admin, disabled, created_at, updated_at)
    SELECT 'u' || n, '-', '', '', false, false, n, n FROM generate_series(1, 2000) n;
INSERT INTO projects (name, public, owner_name, metadata, created_at, updated_at)
    SELECT 'p' || n, false, '', '{}', n, n FROM generate_series(1, 2000) n;
INSERT INTO members (project_id, user_id, role_id, created_at, updated_at)
    SELECT n, 1 + mod(n + k * 7, 2000), 2, n, n FROM generate_series(1, 2000) n, generate_series(1, 3) k;
INSERT INTO repositories (project_id, name, description, pull_count, created_at, updated_at)
    SELECT n, 'library/r' || n, '', 0, n, n FROM generate_series(1, 2000) n;
INSERT INTO blobs (digest, object_key, size, created_at)
    SELECT 'sha256:b' || n, n::text, 1, n FROM generate_series(1, 20000) n;
INSERT INTO repository_blobs (repository_id, digest, linked_at)
    SELECT 1 + mod(n, 2000), 'sha256:b' || n, n FROM generate_series(1, 20000) n;
INSERT INTO blob_reviews (repository_id, digest, due_at)
    SELECT 1 + mod(n, 2000), 'sha256:b' || n, {now} + n FROM generate_series(1, 20000) n;
INSERT INTO object_removals (object_key, due_at)
    SELECT 'x' || n, {now} + n FROM generate_series(1, 20000) n;
INSERT INTO uploads (id, repository_id, subject, algorithm, size, created_at, touched_at)
    SELECT 'u' || n, 1 + mod(n, 2000), 'user:1', 'sha256', 0, n, n FROM generate_series(1, 20000) n;
INSERT INTO manifests (repository_id, digest, media_type, artifact_type, config_media_type, subject, annotations,
    size, total_size, pushed_by, pushed_at, body)
    SELECT 1 + mod(n, 2000), 'sha256:m' || n, 'm', '', '', 'sha256:m' || (n - 1), '{}', 1, 1, '', n, 'x'
    FROM generate_series(1, 20000) n;
INSERT INTO tags (repository_id, name, manifest_id, pushed_at)
    SELECT 1 + mod(n, 2000), 't' || n, n, n FROM generate_series(1, 20000) n;
"""


@pytest.fixture(scope="module")
def filled(own_server: Server) -> Iterator[PostgreSQL]:
    database = PostgreSQL(own_server.create())
    database.write_now(schema.migrate)
    for statement in FILL.replace("{now}", str(NOW)).strip().split(";")[:-1]:
        database.write_now(run, statement)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    yield database
    database.close()


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_look_up_follows_an_index(filled: PostgreSQL, name: str) -> None:
    transaction, arguments = LOOKUPS[name]
    asked: list[tuple[str, Any]] = []

    def plans(connection: Connection) -> list[str]:
        event.listen(connection, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
        transaction(connection, *arguments)
        statements = [each for each in asked if each[0].lstrip().upper().startswith("SELECT")]
        assert statements
        return [
            "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
            for statement, parameters in statements
        ]

    for plan in filled.write_now(plans):
        assert not re.search(r"Seq Scan", plan), plan


def test_uploads_are_found_by_their_ids(filled: PostgreSQL) -> None:
    upload = filled.read_now(uploads.find, "u500", "library/r501", "user:1")
    assert (upload.size, upload.state) == (0, "")
