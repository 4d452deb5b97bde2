"""Proof that nothing acknowledged is missing: every manifest's blobs exist, with the right digest and size."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, exists, func, select

from mooring.database import Database
from mooring.registry.digests import digest_of, new_hash, parse_digest
from mooring.registry.needs import MOST, blob_users, called
from mooring.registry.tables import (
    blobs,
    manifest_references,
    manifests,
    object_removals,
    repositories,
    repository_blobs,
    uploads,
)
from mooring.storage import ObjectMissing, Store

PAGE = 500
RUNS = 20
"""Places that a sample begins at."""
SMALL = 16 << 20
"""Bytes of a blob that a sample reads."""
KEY_LENGTH = 32

MANIFEST = (manifests.c.id, manifests.c.digest, manifests.c.repository_id, repositories.c.name)
"""What `needs.called` asks for."""

Rows = Sequence[Row[*tuple[Any, ...]]]


@dataclass(frozen=True)
class Fault:
    kind: str
    what: str
    text: str


async def audit(database: Database, store: Store, *, read_bytes: bool) -> AsyncIterator[Fault]:
    """Every fault found. With `read_bytes` each blob is read and hashed, else only its size is compared."""
    async for fault in _manifests(database):
        yield fault
    for row in await database.read(_unlinked_references):
        yield Fault("missing_blob", row.wanted, f"it is not in {row.name}, but {await _names(database, row)} needs it")
    async for fault in _blobs(database, store, read_bytes):
        yield fault


async def sampled(database: Database, store: Store, rows: Rows) -> AsyncIterator[Fault]:
    """Every fault of these blobs (see `sample`): their sizes, and the bytes of small ones."""
    for row in rows:
        async for fault in _of_blob(database, store, row, row.size <= SMALL):
            yield fault


def sample(connection: Connection, count: int) -> Rows:
    """Some of the blobs, or all of them where there are no more: runs from random places, since digests are spread
    evenly.
    """
    if blob_count(connection) <= count:
        return _blobs_after(connection, "", count)
    places = [f"sha256:{secrets.token_hex(4)}" for _ in range(RUNS)]
    rows = [row for place in places for row in _blobs_after(connection, place, count // RUNS)]
    return list({row.digest: row for row in rows}.values())


async def orphans(database: Database, keys: Sequence[str]) -> set[str]:
    """Those of the store's keys that no row knows."""
    left = set(keys)
    for start in range(0, len(keys), PAGE):
        left -= await database.read(_known, list(keys[start : start + PAGE]))
    return left


async def _manifests(database: Database) -> AsyncIterator[Fault]:
    last = 0
    while rows := await database.read(_manifest_page, last):
        for row in rows:
            last = row.id
            if str(digest_of(row.body, parse_digest(row.digest).algorithm)) != row.digest:
                yield Fault(
                    "wrong_manifest", row.digest, f"its bytes have another digest; {await _names(database, row)}"
                )


async def _blobs(database: Database, store: Store, read_bytes: bool) -> AsyncIterator[Fault]:
    last = ""
    while rows := await database.read(_blobs_after, last, PAGE):
        for row in rows:
            last = row.digest
            async for fault in _of_blob(database, store, row, read_bytes):
                yield fault
        await asyncio.sleep(0)


async def _of_blob(
    database: Database, store: Store, row: Row[*tuple[Any, ...]], read_bytes: bool
) -> AsyncIterator[Fault]:
    text = await _blob_fault(store, row.digest, row.object_key, row.size, read_bytes)
    # Collection may have taken it since the page was read.
    still_there = bool(text) and await database.read(_still_there, row.digest, row.object_key)
    if still_there:
        users = await database.read(blob_users, row.digest)
        yield Fault("wrong_blob", row.digest, f"{text}; {f'needed by {users}' if users else 'nothing needs it'}")


async def _names(database: Database, manifest: Row[*tuple[Any, ...]]) -> str:
    return ", ".join((await database.read(called, manifest))[:MOST])


async def _blob_fault(store: Store, digest: str, key: str, size: int, read_bytes: bool) -> str:
    try:
        found = await store.size(key)
        if found != size:
            return f"the store has {found} bytes of {size}"
        if read_bytes:
            running = new_hash(parse_digest(digest).algorithm)
            await store.digest(key, size, running.update)
            if running.hexdigest() != parse_digest(digest).hex:
                return "its bytes have another digest"
    except ObjectMissing:
        return "the store does not have it"
    return ""


def _manifest_page(connection: Connection, last: int) -> Rows:
    query = select(*MANIFEST, manifests.c.body).join(repositories, repositories.c.id == manifests.c.repository_id)
    return connection.execute(query.where(manifests.c.id > last).order_by(manifests.c.id).limit(PAGE)).all()


def _blobs_after(connection: Connection, place: str, count: int) -> Rows:
    return connection.execute(select(blobs).where(blobs.c.digest > place).order_by(blobs.c.digest).limit(count)).all()


def blob_count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(blobs)).scalar_one()


def _unlinked_references(connection: Connection) -> Rows:
    linked = exists().where(
        repository_blobs.c.repository_id == manifest_references.c.repository_id,
        repository_blobs.c.digest == manifest_references.c.digest,
    )
    return connection.execute(
        select(*MANIFEST, manifest_references.c.digest.label("wanted"))
        .join(manifest_references, manifest_references.c.manifest_id == manifests.c.id)
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .where(manifest_references.c.required, ~linked)
        .limit(PAGE)
    ).all()


def _still_there(connection: Connection, digest: str, key: str) -> bool:
    row = (blobs.c.digest == digest) & (blobs.c.object_key == key)
    return connection.execute(select(blobs.c.digest).where(row)).first() is not None


def _known(connection: Connection, keys: Sequence[str]) -> set[str]:
    # An upload's objects in a bucket have names that begin with its own.
    whole = {*keys, *(key[:KEY_LENGTH] for key in keys)}
    known: set[str] = set()
    for column in (blobs.c.object_key, uploads.c.id, object_removals.c.object_key):
        known.update(connection.scalars(select(column).where(column.in_(whole))))
    return {key for key in keys if key in known or key[:KEY_LENGTH] in known}
