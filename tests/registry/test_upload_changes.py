"""The single statements of uploads do what the steps do, on both databases, also twice, and whoever else is there."""

import asyncio
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.exc import DBAPIError

import mooring.assembly  # noqa: F401 - declares every table
from mooring.database import Database, schema
from mooring.database.sqlite import SQLite
from mooring.projects.tables import projects
from mooring.registry import upload_changes, uploads
from mooring.registry.collection import READERS_GRACE
from mooring.registry.tables import blob_reviews, blobs, object_removals, repositories, repository_blobs
from mooring.registry.tables import uploads as uploads_table
from mooring.registry.uploads import Upload
from tests.databases import OpenDatabase
from tests.http.site import ADMIN_PASSWORD, Site, basic

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000_000_000
DAY = 86_400_000_000
DIGEST = f"sha256:{'d' * 64}"
OTHER_DIGEST = f"sha256:{'e' * 64}"
SUBJECT = "user:1"
TABLES = (uploads_table, blobs, repository_blobs, blob_reviews, object_removals)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def database(open_empty: OpenDatabase) -> Database:
    return filled(open_empty)


def filled(open_empty: OpenDatabase) -> Database:
    opened = open_empty()
    opened.write_now(schema.migrate)
    opened.write_now(fill)
    return opened


def fill(connection: Connection) -> None:
    project = {"id": 1, "name": "library", "public": False, "created_at": NOW, "updated_at": NOW}
    connection.execute(insert(projects), project)
    repository = {"id": 7, "project_id": 1, "name": "library/app", "created_at": NOW, "updated_at": NOW}
    connection.execute(insert(repositories), repository)


async def begin(database: Database, key: str) -> Upload:
    given = (key, SUBJECT, "sha256", NOW, "library/app")
    assert await database.write(upload_changes.begin, *given) == 7
    return Upload(key, 7, "sha256", 0)


async def finish(database: Database, upload: Upload, digest: str = DIGEST) -> int | None:
    known = (upload.id, upload.size, upload.state)
    return await database.write(upload_changes.finish, digest, f"{upload.id}-01234567", 5, NOW + 2, *known, DAY)


def content(connection: Connection) -> dict[str, Sequence[Any]]:
    def rows(table: Table) -> Sequence[Any]:
        return connection.execute(select(table).order_by(*table.primary_key)).all()

    return {table.name: rows(table) for table in TABLES}


async def test_all_of_an_upload_is_as_by_the_steps(database: Database) -> None:
    """Of content that is new, and of content that is there already."""
    first, second = await begin(database, "a" * 32), await begin(database, "b" * 32)
    moved = (5, DIGEST, "there", NOW + 1)
    assert await database.write(upload_changes.advance, *moved, first.id, 0, "") == 5
    begun = database.read_now(content)
    assert await finish(database, Upload(first.id, 7, "sha256", 5, DIGEST, "there")) == 7
    assert await finish(database, second) == 7
    done = database.read_now(content)

    def steps(connection: Connection) -> None:
        for table in reversed(TABLES):
            connection.execute(table.delete())
        one = uploads.begin(connection, NOW, first.id, 1, "library/app", SUBJECT, "sha256")
        two = uploads.begin(connection, NOW, second.id, 1, "library/app", SUBJECT, "sha256")
        uploads.advance(connection, NOW + 1, one, 5, DIGEST, "there")
        assert content(connection) == begun
        one = Upload(one.id, 7, "sha256", 5, DIGEST, "there")
        uploads.finish(connection, NOW + 2, one, DIGEST, 5, DAY, f"{one.id}-01234567")
        uploads.finish(connection, NOW + 2, two, DIGEST, 5, DAY, f"{two.id}-01234567")

    database.write_now(steps)
    assert database.read_now(content) == done
    assert done["object_removals"] == [(f"{second.id}-01234567", NOW + 2 + READERS_GRACE)]


async def test_what_is_done_twice_is_done_once(database: Database) -> None:
    upload = await begin(database, "a" * 32)
    await begin(database, upload.id)
    moved = (5, DIGEST, "", NOW + 1, upload.id, 0, "")
    assert [await database.write(upload_changes.advance, *moved) for _ in range(2)] == [5, 5]
    upload = Upload(upload.id, 7, "sha256", 5, DIGEST)
    assert [await finish(database, upload) for _ in range(2)] == [7, None]
    found = database.read_now(content)
    assert [len(found[table.name]) for table in TABLES] == [0, 1, 1, 1, 0]


async def test_an_upload_that_another_moved_on_is_left_alone(database: Database) -> None:
    upload = await begin(database, "a" * 32)
    assert await database.write(upload_changes.advance, 5, DIGEST, "", NOW, upload.id, 0, "") == 5
    before = database.read_now(content)
    others = [(5, OTHER_DIGEST, ""), (5, None, ""), (5, DIGEST, "elsewhere"), (6, DIGEST, "")]
    for other in others:
        assert await database.write(upload_changes.advance, *other, NOW + 1, upload.id, 0, "") is None
    assert await finish(database, upload) is None
    assert database.read_now(content) == before


async def test_a_repository_that_is_not_there_is_for_the_steps_to_make(database: Database) -> None:
    given = ("a" * 32, SUBJECT, "sha256", NOW, "library/none")
    assert await database.write(upload_changes.begin, *given) is None
    assert database.read_now(content)["uploads"] == []


async def test_many_at_once_leave_one_blob_of_each_digest(database: Database, open_empty: OpenDatabase) -> None:
    replicas = [database, *(open_empty() for _ in range(3))]
    keys = [f"{number:032x}" for number in range(120)]
    digests = [f"sha256:{number % 6:064x}" for number in range(120)]

    async def push(number: int) -> None:
        replica = replicas[number % 4]
        upload = await begin(replica, keys[number])
        # Back and forth: those that share a transaction on one replica come in another order on the next.
        digest = digests[number] if number % 8 < 4 else digests[-1 - number]
        ended = await finish(replica, upload, digest)
        if ended is None:
            await replica.write(uploads.finish, NOW, upload, digest, 5, DAY, f"{upload.id}-01234567")

    await asyncio.gather(*(push(number) for number in range(120)))
    found = database.read_now(content)
    assert [len(found[table.name]) for table in TABLES] == [0, 6, 6, 6, 114]
    objects = {row.object_key for row in found["blobs"]} | {row.object_key for row in found["object_removals"]}
    assert objects == {f"{key}-01234567" for key in keys}


async def test_one_that_waits_for_a_lock_holds_up_no_other(open_postgresql: OpenDatabase) -> None:
    database = filled(open_postgresql)
    locked, free = await begin(database, "a" * 32), await begin(database, "b" * 32)
    held, release = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.execute(update(uploads_table).where(uploads_table.c.id == locked.id).values(touched_at=NOW))
        held.set()
        assert release.wait(30)

    holding = asyncio.ensure_future(database.write(hold))
    await asyncio.to_thread(held.wait, 30)
    waiting = asyncio.ensure_future(database.write(upload_changes.advance, 1, DIGEST, "", NOW, locked.id, 0, ""))
    async with asyncio.timeout(4):
        for size in range(20):
            assert await database.write(upload_changes.advance, size + 1, None, "", NOW, free.id, size, "") == size + 1
    assert not waiting.done()
    release.set()
    assert await waiting == 1
    await holding


async def test_a_connection_that_breaks_costs_nobody_a_change(open_postgresql: OpenDatabase) -> None:
    database, other = filled(open_postgresql), open_postgresql()
    upload = await begin(database, "a" * 32)

    def cut(connection: Connection) -> None:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    for size in range(20):
        advancing = database.write(upload_changes.advance, size + 1, DIGEST, "", NOW, upload.id, size, "")
        found, _ = await asyncio.gather(advancing, asyncio.to_thread(other.write_now, cut))
        assert found == size + 1


async def test_what_fails_only_when_it_is_committed_is_not_acknowledged(open_postgresql: OpenDatabase) -> None:
    """The rows of its statements have come by then."""
    database = filled(open_postgresql)
    upload = await begin(database, "a" * 32)

    def refuse(connection: Connection) -> None:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER refused AFTER UPDATE ON uploads"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

    moved = (5, DIGEST, "", NOW, upload.id, 0, "")
    database.write_now(refuse)
    before = database.read_now(content)
    with pytest.raises(DBAPIError, match="not today"):
        await database.write(upload_changes.advance, *moved)
    assert database.read_now(content) == before
    database.write_now(lambda connection: connection.exec_driver_sql("DROP TRIGGER refused ON uploads"))
    assert await database.write(upload_changes.advance, *moved) == 5


@pytest.mark.parametrize("whole", [True, False], ids=["POST", "PUT"])
def test_an_end_whose_answer_was_lost_is_told_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """It is done once more then, as on PostgreSQL where a connection breaks."""
    write, body = SQLite.write, b"layer"
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"

    async def twice(database: SQLite, transaction: Any, *args: Any) -> Any:
        if transaction is upload_changes.finish:
            assert await write(database, transaction, *args) is not None
        return await write(database, transaction, *args)

    with Site(tmp_path / "data") as site:
        headers, target = [basic("admin", ADMIN_PASSWORD)], "/v2/library/app/blobs/uploads/"
        monkeypatch.setattr(SQLite, "write", twice)
        place = target if whole else site.ask("POST", target, headers).header("location")
        method = "POST" if whole else "PUT"
        assert site.ask(method, f"{place}?digest={digest}", headers, body).status == 201
        assert site.ask("GET", f"/v2/library/app/blobs/{digest}", headers).body == body
