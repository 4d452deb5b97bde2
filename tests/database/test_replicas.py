"""What replicas do at the same moment on one database: SQLite lets one write at a time, PostgreSQL all of them."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import DBAPIError

import mooring.assembly  # noqa: F401 - declares every table
from mooring.access import epoch, keyring
from mooring.access.tables import access_epoch, signing_keys
from mooring.cluster import heartbeat, identity
from mooring.cluster.heartbeat import Pulse
from mooring.cluster.master_key import MasterKey
from mooring.database import Database, schema
from mooring.database.metadata import metadata
from mooring.errors import ConfigurationError, Conflict, Invalid, ManifestBlobUnknown, MooringError
from mooring.identity import throttle, users
from mooring.identity.tables import users as users_table
from mooring.projects.tables import projects
from mooring.registry import blobs, manifest_index, repositories, reviews, uploads
from mooring.registry.digests import digest_of
from mooring.registry.manifest_index import Push
from mooring.registry.manifests import OCI_MANIFEST, Manifest, Reference
from mooring.registry.tables import manifests, object_removals, repository_blobs, tags
from tests.databases import OpenDatabase

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000_000_000
DAY = 86_400_000_000
EVERY = 4
T = TypeVar("T")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def empty(open_empty: OpenDatabase) -> list[Database]:
    """One empty database, opened by several replicas."""
    return [open_empty() for _ in range(EVERY)]


@pytest.fixture
def replicas(empty: list[Database]) -> list[Database]:
    empty[0].write_now(schema.migrate)
    return empty


async def everywhere(
    replicas: Sequence[Database], work: Callable[..., T], *args: Any, times: int = 3
) -> list[T | BaseException]:
    """The same transaction, from every replica at once."""
    tasks = (replica.write(work, *args) for replica in list(replicas) * times)
    return await asyncio.gather(*tasks, return_exceptions=True)


def rows_of(replica: Database, query: Any) -> list[Any]:
    return replica.read_now(lambda connection: list(connection.execute(query).all()))


def add_user(connection: Connection, name: str = "somebody") -> int:
    return users.create(connection, NOW, username=name, password_hash="-")


def add_project(connection: Connection) -> int:
    row = {"name": "library", "public": True, "created_at": NOW, "updated_at": NOW}
    key = connection.execute(insert(projects).values(row)).inserted_primary_key
    assert key is not None
    return int(key[0])


async def test_those_that_start_together_migrate_once(empty: list[Database]) -> None:
    applied = await everywhere(empty, schema.migrate, times=1)
    assert sorted(map(bool, applied)) == [False] * (EVERY - 1) + [True], applied
    for replica in empty:
        await replica.read(schema.require_served)


async def test_the_migrated_schema_is_the_declared_one(replicas: list[Database]) -> None:
    def ours(name: str | None, _kind: str, _parents: object) -> bool:
        return not (name or "").startswith("procrastinate")

    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"include_name": ours}), metadata))

    found = replicas[0].read_now(differences)
    assert [change for change in found if change[0][0] != "modify_comment"] == []


async def test_those_that_start_together_are_one_cluster(replicas: list[Database]) -> None:
    key = MasterKey(bytes(32))
    assert len(set(await everywhere(replicas, identity.establish, NOW, key))) == 1
    with pytest.raises(ConfigurationError, match="master key"):
        await replicas[0].write(identity.establish, NOW, MasterKey(bytes(31) + b"\1"))


async def test_one_user_is_made_and_the_others_hear_of_it(replicas: list[Database]) -> None:
    results = await everywhere(replicas, add_user)
    refused = [result for result in results if isinstance(result, Conflict)]
    assert len(refused) == len(results) - 1, results
    assert {str(conflict) for conflict in refused} == {"The user somebody exists already."}


async def test_every_change_of_rights_counts(replicas: list[Database]) -> None:
    await everywhere(replicas, epoch.advance, times=5)
    assert rows_of(replicas[0], select(access_epoch.c.value)) == [(5 * EVERY,)]


async def test_wrong_passwords_are_counted_together(replicas: list[Database]) -> None:
    counts = await everywhere(replicas, throttle.note_failure, NOW, "10.0.0.1", "somebody")
    assert sorted(map(str, counts)) == sorted(map(str, range(1, 3 * EVERY + 1)))
    later = NOW + throttle.MEMORY + 1
    assert await replicas[0].write(throttle.note_failure, later, "10.0.0.1", "somebody") == 1


async def test_rotating_together_makes_one_key(replicas: list[Database]) -> None:
    master_key = MasterKey(bytes(32))

    def rotate(connection: Connection) -> None:
        keyring.hold(connection)
        if keyring.rotation_due(connection, NOW, 10):
            keyring.create(connection, master_key, NOW)
        keyring.advance(connection, NOW)

    assert set(await everywhere(replicas, rotate)) == {None}
    assert rows_of(replicas[0], select(signing_keys.c.state)) == [("active",)]


async def test_one_name_beats_as_one(replicas: list[Database]) -> None:
    assert set(await everywhere(replicas, heartbeat.beat, NOW, "replica", Pulse(ready=True))) == {None}
    assert [replica.name for replica in replicas[0].read_now(heartbeat.known)] == ["replica"]


async def test_one_repository_is_made_by_many_pushes(replicas: list[Database]) -> None:
    project = replicas[0].write_now(add_project)
    ids = await everywhere(replicas, repositories.ensure, NOW, project, "library/app")
    assert len(set(ids)) == 1, ids
    assert isinstance(ids[0], int)


async def test_one_manifest_and_tag_come_of_many_pushes(replicas: list[Database]) -> None:
    project = replicas[0].write_now(add_project)
    push = push_of(project, b"{}", ["latest", "v1"])
    assert set(await everywhere(replicas, manifest_index.put, NOW, push)) == {None}
    assert len(rows_of(replicas[0], select(manifests.c.id))) == 1
    assert len(rows_of(replicas[0], select(tags.c.id))) == 2


async def test_a_tag_pushed_twice_at_once_ends_as_one_of_the_two(replicas: list[Database]) -> None:
    project = replicas[0].write_now(add_project)
    pushes = [push_of(project, body, ["latest"]) for body in (b"{}", b"{ }")]
    chosen = zip(replicas * 3, itertools.cycle(pushes), strict=False)
    await asyncio.gather(*(replica.write(manifest_index.put, NOW, push) for replica, push in chosen))
    found = replicas[0].read_now(manifest_index.by_tag, "library/app", "latest")
    assert found is not None
    assert found.digest in {push.digest for push in pushes}


async def test_one_blob_is_kept_of_many_uploads(replicas: list[Database]) -> None:
    repository = replicas[0].write_now(lambda c: repositories.ensure(c, NOW, add_project(c), "library/app"))
    digest = str(digest_of(b"content"))
    numbers = itertools.count()

    def finish(connection: Connection, key: str) -> None:
        blobs.store(connection, NOW, repository, digest, key, 7, DAY)

    keys = [f"{next(numbers):032x}" for _ in range(3 * EVERY)]
    await asyncio.gather(*(replica.write(finish, key) for replica, key in zip(replicas * 3, keys, strict=True)))
    kept = replicas[0].read_now(blobs.find, "library/app", digest)
    assert kept is not None
    removed = {key for (key,) in rows_of(replicas[0], select(object_removals.c.object_key))}
    assert removed == set(keys) - {kept.object_key}


async def test_collection_and_pushes_at_once_lose_nothing(replicas: list[Database]) -> None:
    """Every blob is due for review while manifests that need it arrive: what was acknowledged stays whole."""
    project = replicas[0].write_now(add_project)
    digests = [str(digest_of(bytes([number]))) for number in range(12)]

    def link_all(connection: Connection) -> None:
        repository = repositories.ensure(connection, NOW, project, "library/app")
        for number, digest in enumerate(digests):
            blobs.store(connection, NOW, repository, digest, f"{number:032x}", 1, DAY)

    replicas[0].write_now(link_all)
    due = NOW + DAY + 1
    acknowledged: list[Push] = []

    async def push(replica: Database, number: int) -> None:
        pushed = push_of(project, b" " * number, [f"t{number}"], digests[number : number + 6])
        try:
            await replica.write(manifest_index.put, due, pushed)
            acknowledged.append(pushed)
        except ManifestBlobUnknown:
            pass  # collection was first

    async def collect(replica: Database) -> None:
        for _ in range(4):
            await replica.write(reviews.review_due, due, DAY)

    await asyncio.gather(
        *(push(replica, number) for number, replica in enumerate([*replicas, *replicas][:6])),
        *(collect(replica) for replica in replicas[:2]),
    )
    left = {digest for (digest,) in rows_of(replicas[0], select(repository_blobs.c.digest))}
    for pushed in acknowledged:
        assert {reference.digest for reference in pushed.manifest.references} <= left
    while replicas[0].write_now(reviews.review_due, due, DAY).reviews:
        pass
    assert {digest for (digest,) in rows_of(replicas[0], select(repository_blobs.c.digest))} == {
        reference.digest for pushed in acknowledged for reference in pushed.manifest.references
    }


async def test_of_two_requests_that_end_one_upload_one_does(replicas: list[Database]) -> None:
    project = replicas[0].write_now(add_project)
    upload = replicas[0].write_now(uploads.begin, NOW, "a" * 32, project, "library/app", "user:1", "sha256")
    digest = str(digest_of(b""))
    results = await everywhere(replicas, uploads.finish, NOW, upload, digest, 0, DAY, times=1)
    assert results.count(None) == 1, results
    assert all(isinstance(result, MooringError) for result in results if result is not None)


async def test_waiting_for_each_other_crosswise_ends_well(replicas: list[Database]) -> None:
    for name in ("left", "right"):
        replicas[0].write_now(add_user, name)
    met = threading.Barrier(2)

    def touch(connection: Connection, *order: str) -> None:
        for name in order:
            connection.execute(update(users_table).where(users_table.c.username == name).values(updated_at=1))
            # SQLite lets one write at a time, and a second try on PostgreSQL meets nobody.
            with contextlib.suppress(threading.BrokenBarrierError):
                met.wait(0.3)

    await asyncio.gather(replicas[0].write(touch, "left", "right"), replicas[1].write(touch, "right", "left"))


async def test_text_that_a_database_can_not_hold_is_a_bad_request(replicas: list[Database]) -> None:
    for name in ("nul\0byte", "half \ud800 pair"):
        with contextlib.suppress(Invalid):
            assert await replicas[0].read(users.by_name, name) is None


async def test_a_fault_of_our_own_is_not_hidden_as_an_outage(replicas: list[Database]) -> None:
    def ask(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT * FROM no_such_table")

    for run in (replicas[0].read, replicas[0].write):
        with pytest.raises(DBAPIError):
            await run(ask)


def push_of(project: int, body: bytes, names: Sequence[str], needed: Sequence[str] = ()) -> Push:
    references = tuple(Reference(digest, 1, "blob", required=True) for digest in needed)
    manifest = Manifest(OCI_MANIFEST, references=references)
    return Push(project, "library/app", str(digest_of(body)), manifest, body, names, "user:1")
