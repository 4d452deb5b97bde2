"""Online garbage collection: what lost its last reference is reviewed after a delay, and only then removed.

A removed reference enqueues a review (`registry.reviews`) in its own transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from mooring.cluster.clock import SECOND
from mooring.database import rows
from mooring.registry.tables import blob_reviews, object_removals, uploads
from mooring.settings import Settings

READERS_GRACE = 60 * SECOND
"""An object outlives its row for so long: a reader may have looked it up just before."""

BATCH = 200

NO_REPOSITORY = 0
"""The review of a blob itself, once no repository links it."""


@dataclass(frozen=True)
class Collected:
    reviews: int = 0
    links: int = 0
    blobs: int = 0
    uploads: int = 0
    objects: int = 0
    strays: int = 0
    """What requests that died had begun in the store."""
    bytes: int = 0
    """Of the blobs."""

    def __add__(self, other: "Collected") -> "Collected":
        return Collected(
            self.reviews + other.reviews,
            self.links + other.links,
            self.blobs + other.blobs,
            self.uploads + other.uploads,
            self.objects + other.objects,
            self.strays + other.strays,
            self.bytes + other.bytes,
        )


def idle(settings: Settings) -> int:
    """How long an upload may rest, in microseconds."""
    return int(settings.upload_idle_hours * 3600 * SECOND)


def enqueue_review(connection: Connection, repository_id: int, digest: str, due_at: int) -> None:
    """Review this link (or, with NO_REPOSITORY, this blob) at `due_at`; a later time replaces an earlier one."""
    row = {"repository_id": repository_id, "digest": digest, "due_at": due_at}
    key = (blob_reviews.c.repository_id, blob_reviews.c.digest)
    rows.put(connection, blob_reviews, row, key=key, change={"due_at"})


def enqueue_reviews(connection: Connection, repository_id: int, digests: Sequence[str], due_at: int) -> None:
    if digests:
        many = [{"repository_id": repository_id, "digest": digest, "due_at": due_at} for digest in digests]
        key = (blob_reviews.c.repository_id, blob_reviews.c.digest)
        rows.put_many(connection, blob_reviews, many, key=key, change={"due_at"})


def enqueue_removal(connection: Connection, object_key: str, due_at: int) -> None:
    enqueue_removals(connection, [object_key], due_at)


def enqueue_removals(connection: Connection, object_keys: Sequence[str], due_at: int) -> None:
    if object_keys:
        connection.execute(insert(object_removals), [{"object_key": key, "due_at": due_at} for key in object_keys])


def reap_uploads(connection: Connection, now: int, idle: int) -> Collected:
    """Throw away uploads that were idle for `idle` microseconds."""
    stale = connection.scalars(
        select(uploads.c.id).where(uploads.c.touched_at <= now - idle).limit(BATCH).with_for_update(skip_locked=True)
    ).all()
    connection.execute(delete(uploads).where(uploads.c.id.in_(stale)))
    enqueue_removals(connection, stale, now + READERS_GRACE)
    return Collected(uploads=len(stale))


def without_upload(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Those of the keys whose upload has ended, or was thrown away."""
    missing = set(keys)
    for start in range(0, len(keys), BATCH):
        some = keys[start : start + BATCH]
        missing.difference_update(connection.scalars(select(uploads.c.id).where(uploads.c.id.in_(some))))
    return missing


def due_removals(connection: Connection, now: int) -> Sequence[str]:
    return connection.scalars(
        select(object_removals.c.object_key)
        .where(object_removals.c.due_at <= now)
        .order_by(object_removals.c.due_at)
        .limit(BATCH)
    ).all()


def forget_removals(connection: Connection, object_keys: Sequence[str]) -> None:
    connection.execute(delete(object_removals).where(object_removals.c.object_key.in_(object_keys)))
