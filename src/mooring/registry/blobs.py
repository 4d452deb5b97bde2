"""Blobs: stored once by digest, readable only through a repository that links them."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from mooring.database import rows
from mooring.database.lookup import Lookup, Values
from mooring.errors import BlobUnknown, Conflict
from mooring.registry import repositories
from mooring.registry.collection import NO_REPOSITORY, READERS_GRACE, enqueue_removal, enqueue_review
from mooring.registry.tables import blob_reviews, blobs, manifest_references, repository_blobs
from mooring.registry.tables import repositories as repositories_table

MOST_MOUNT_SOURCES = 50


class Blob(NamedTuple):
    repository_id: int
    digest: str
    object_key: str
    size: int
    review_at: int | None
    """When its link is looked at again, should nothing refer to it."""


_FIND = (
    select(repositories_table.c.id, blobs.c.digest, blobs.c.object_key, blobs.c.size, blob_reviews.c.due_at)
    .select_from(repositories_table)
    .join(repository_blobs, repository_blobs.c.repository_id == repositories_table.c.id)
    .join(blobs, blobs.c.digest == repository_blobs.c.digest)
    .outerjoin(
        blob_reviews,
        (blob_reviews.c.repository_id == repositories_table.c.id) & (blob_reviews.c.digest == blobs.c.digest),
    )
    .where(
        repositories_table.c.name == bindparam("repository"),
        repository_blobs.c.digest == bindparam("digest"),
    )
)


def _found(row: Values | None) -> Blob | None:
    return Blob._make(row) if row else None


find = Lookup(_FIND, ("repository", "digest"), _found)


def link(connection: Connection, now: int, repository_id: int, digest: str, delay: int) -> None:
    """Let a repository hold a blob; unless a manifest refers to it within `delay` microseconds, it is let go."""
    row = {"repository_id": repository_id, "digest": digest, "linked_at": now}
    key = (repository_blobs.c.repository_id, repository_blobs.c.digest)
    rows.put(connection, repository_blobs, row, key=key, change={"linked_at"})
    enqueue_review(connection, repository_id, digest, now + delay)


def store(
    connection: Connection, now: int, repository_id: int, digest: str, object_key: str, size: int, delay: int
) -> None:
    """Link content that was just received; where the blob is known already, the received copy is removed."""
    row = {"digest": digest, "object_key": object_key, "size": size, "created_at": now}
    if not rows.add_if_new(connection, blobs, row):
        enqueue_removal(connection, object_key, now + READERS_GRACE)
    link(connection, now, repository_id, digest, delay)


def mount(
    connection: Connection, now: int, source: str, project_id: int, repository: str, digest: str, delay: int
) -> bool:
    """Link a blob that `source` links. False where it does not. The caller has been allowed both."""
    held = (
        select(repository_blobs.c.digest)
        .join(repositories_table, repositories_table.c.id == repository_blobs.c.repository_id)
        .where(repositories_table.c.name == source, repository_blobs.c.digest == digest)
        .with_for_update(read=True, of=repository_blobs)
    )
    if connection.execute(held).first() is None:
        return False
    link(connection, now, repositories.ensure(connection, now, project_id, repository), digest, delay)
    return True


def holders(connection: Connection, digest: str) -> Sequence[str]:
    """Some repositories that link a blob. Names that a caller must not see: check each before using it."""
    return connection.scalars(
        select(repositories_table.c.name)
        .join(repository_blobs, repository_blobs.c.repository_id == repositories_table.c.id)
        .where(repository_blobs.c.digest == digest)
        .limit(MOST_MOUNT_SOURCES)
    ).all()


def renew(connection: Connection, now: int, repository_id: int, digest: str, delay: int) -> None:
    """Put off the review of a link. Raises BlobUnknown when it was let go meanwhile."""
    row = (repository_blobs.c.repository_id == repository_id) & (repository_blobs.c.digest == digest)
    if connection.execute(update(repository_blobs).where(row).values(linked_at=now)).rowcount == 0:
        raise BlobUnknown
    enqueue_review(connection, repository_id, digest, now + delay)


def unlink(connection: Connection, now: int, repository: str, digest: str) -> None:
    """Raises BlobUnknown, and Conflict while a manifest of the repository refers to the blob."""
    repository_id = connection.execute(
        select(repositories_table.c.id).where(repositories_table.c.name == repository)
    ).scalar()
    row = (repository_blobs.c.repository_id == repository_id) & (repository_blobs.c.digest == digest)
    if connection.execute(select(repository_blobs.c.digest).where(row).with_for_update()).first() is None:
        raise BlobUnknown
    reference = exists().where(
        manifest_references.c.repository_id == repository_id, manifest_references.c.digest == digest
    )
    if connection.execute(select(reference)).scalar():
        raise Conflict("A manifest of this repository still needs this blob. Delete the manifest first.")
    connection.execute(delete(repository_blobs).where(row))
    enqueue_review(connection, NO_REPOSITORY, digest, now)
