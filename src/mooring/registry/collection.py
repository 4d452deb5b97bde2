"""Online garbage collection: what lost its last reference is reviewed after a delay, and only then removed.

A removed reference enqueues a review in its own transaction. A review looks again inside the transaction that would
delete, so a push never waits for it and never loses to it (the race that Quay and GitLab had to fix).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, insert, select, update

from mooring.cluster.clock import SECOND
from mooring.database import rows
from mooring.registry.tables import (
    blob_reviews,
    blobs,
    manifest_references,
    object_removals,
    repository_blobs,
    uploads,
)

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


def enqueue_review(connection: Connection, repository_id: int, digest: str, due_at: int) -> None:
    """Review this link (or, with NO_REPOSITORY, this blob) at `due_at`; a later time replaces an earlier one."""
    row = {"repository_id": repository_id, "digest": digest, "due_at": due_at}
    key = (blob_reviews.c.repository_id, blob_reviews.c.digest)
    rows.put(connection, blob_reviews, row, key=key, change={"due_at"})


def enqueue_removal(connection: Connection, object_key: str, due_at: int) -> None:
    connection.execute(insert(object_removals), {"object_key": object_key, "due_at": due_at})


def review_due(connection: Connection, now: int, delay: int) -> Collected:
    """Take due reviews, at most BATCH of them, and do what each finds. `delay` in microseconds.

    Waits for no push: what one holds at the moment stays due. In the order of digests, so that two replicas that
    review at once can't wait for each other crosswise.
    """
    due = connection.execute(
        select(blob_reviews.c.repository_id, blob_reviews.c.digest)
        .where(blob_reviews.c.due_at <= now)
        .order_by(blob_reviews.c.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    total = Collected()
    for repository_id, digest in sorted(due, key=lambda row: (row.digest, row.repository_id)):
        if repository_id == NO_REPOSITORY:
            total += _review_blob(connection, now, digest)
        else:
            total += _review_link(connection, now, delay, repository_id, digest)
    return total


def reap_uploads(connection: Connection, now: int, idle: int) -> Collected:
    """Throw away uploads that were idle for `idle` microseconds."""
    stale = connection.scalars(
        select(uploads.c.id).where(uploads.c.touched_at <= now - idle).limit(BATCH).with_for_update(skip_locked=True)
    ).all()
    for upload_id in stale:
        connection.execute(delete(uploads).where(uploads.c.id == upload_id))
        enqueue_removal(connection, upload_id, now + READERS_GRACE)
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


def _review_link(connection: Connection, now: int, delay: int, repository_id: int, digest: str) -> Collected:
    link = (repository_blobs.c.repository_id == repository_id) & (repository_blobs.c.digest == digest)
    linked_at = connection.execute(select(repository_blobs.c.linked_at).where(link)).scalar()
    if linked_at is not None:
        held = select(repository_blobs.c.linked_at).where(link).with_for_update(skip_locked=True)
        linked_at = connection.execute(held).scalar()
        if linked_at is None:
            return Collected()
    referenced = connection.execute(
        select(
            exists().where(
                manifest_references.c.repository_id == repository_id,
                manifest_references.c.digest == digest,
            )
        )
    ).scalar()
    if linked_at is None or referenced:
        _end_review(connection, repository_id, digest)
        return Collected(reviews=1)
    if linked_at + delay > now:
        review = (blob_reviews.c.repository_id == repository_id) & (blob_reviews.c.digest == digest)
        connection.execute(update(blob_reviews).where(review).values(due_at=linked_at + delay))
        return Collected(reviews=1)
    connection.execute(delete(repository_blobs).where(link))
    _end_review(connection, repository_id, digest)
    enqueue_review(connection, NO_REPOSITORY, digest, now)
    return Collected(reviews=1, links=1)


def _review_blob(connection: Connection, now: int, digest: str) -> Collected:
    blob = blobs.c.digest == digest
    known = connection.execute(select(blobs.c.digest).where(blob)).first() is not None
    held = select(blobs.c.object_key, blobs.c.size).where(blob).with_for_update(skip_locked=True)
    found = connection.execute(held).first() if known else None
    if known and found is None:
        return Collected()
    _end_review(connection, NO_REPOSITORY, digest)
    linked = connection.execute(select(exists().where(repository_blobs.c.digest == digest))).scalar()
    if found is None or linked:
        return Collected(reviews=1)
    connection.execute(delete(blobs).where(blobs.c.digest == digest))
    enqueue_removal(connection, found.object_key, now + READERS_GRACE)
    return Collected(reviews=1, blobs=1, bytes=found.size)


def _end_review(connection: Connection, repository_id: int, digest: str) -> None:
    review = (blob_reviews.c.repository_id == repository_id) & (blob_reviews.c.digest == digest)
    connection.execute(delete(blob_reviews).where(review))
