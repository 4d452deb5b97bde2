"""Removing whole repositories and artifacts with what hangs on them; collection takes the bytes."""

from sqlalchemy import Connection, Select, delete, exists, insert, literal, select

from mooring.errors import NameUnknown, PreconditionFailed
from mooring.registry.collection import NO_REPOSITORY, READERS_GRACE, enqueue_review
from mooring.registry.manifest_index import delete_manifest
from mooring.registry.tables import (
    blob_reviews,
    manifest_references,
    manifests,
    object_removals,
    repositories,
    repository_blobs,
    tags,
    uploads,
)


def remove_repository(connection: Connection, now: int, project_id: int, repository: str) -> None:
    """With all its manifests, tags, links and uploads. Raises NameUnknown."""
    named = (repositories.c.name == repository) & (repositories.c.project_id == project_id)
    repository_id = connection.execute(select(repositories.c.id).where(named).with_for_update()).scalar()
    if repository_id is None:
        raise NameUnknown
    unfinished = select(uploads.c.id, literal(now + READERS_GRACE)).where(uploads.c.repository_id == repository_id)
    columns = [object_removals.c.object_key, object_removals.c.due_at]
    connection.execute(insert(object_removals).from_select(columns, unfinished))
    links = select(repository_blobs.c.digest).where(repository_blobs.c.repository_id == repository_id)
    for digest in sorted(connection.scalars(links)):
        enqueue_review(connection, NO_REPOSITORY, digest, now)
    for table in (uploads, repository_blobs, blob_reviews, manifest_references, tags, manifests):
        connection.execute(delete(table).where(table.c.repository_id == repository_id))
    connection.execute(delete(repositories).where(repositories.c.id == repository_id))


def remove_artifact(
    connection: Connection, now: int, repository_id: int, repository: str, digest: str, delay: int
) -> None:
    """With what belongs to nothing else: an index's untagged manifests, and what names the artifact its subject.

    `delay` in microseconds. Raises ManifestUnknown, and PreconditionFailed while an index holds the artifact.
    The rules are Harbor's (src/controller/artifact/controller.go, deleteDeeply).
    """
    if _held_by_index(connection, repository_id, digest):
        raise PreconditionFailed("An index of this repository holds this artifact. Delete the index first.")
    waiting, done = [digest], set[str]()
    while waiting:
        current = waiting.pop()
        if current in done:
            continue
        done.add(current)
        children = connection.scalars(_children(repository_id, current)).all()
        accessories = connection.scalars(_accessories(repository_id, current)).all()
        delete_manifest(connection, now, repository, current, delay)
        alone = (each for each in (*children, *accessories) if not _held_by_index(connection, repository_id, each))
        waiting += [each for each in alone if each in accessories or not _tagged(connection, repository_id, each)]


def _children(repository_id: int, digest: str) -> Select[str]:
    """The manifests that an index names and the repository has."""
    index = manifests.alias("parent")
    return (
        select(manifests.c.digest)
        .join(manifest_references, manifest_references.c.digest == manifests.c.digest)
        .join(index, index.c.id == manifest_references.c.manifest_id)
        .where(
            manifests.c.repository_id == repository_id,
            manifest_references.c.kind == "manifest",
            index.c.repository_id == repository_id,
            index.c.digest == digest,
        )
    )


def _accessories(repository_id: int, digest: str) -> Select[str]:
    return select(manifests.c.digest).where(
        manifests.c.repository_id == repository_id, manifests.c.subject == digest, manifests.c.digest != digest
    )


def _held_by_index(connection: Connection, repository_id: int, digest: str) -> bool:
    reference = exists().where(
        manifest_references.c.repository_id == repository_id,
        manifest_references.c.digest == digest,
        manifest_references.c.kind == "manifest",
    )
    return bool(connection.execute(select(reference)).scalar())


def _tagged(connection: Connection, repository_id: int, digest: str) -> bool:
    tag = (
        select(tags.c.id)
        .join(manifests, manifests.c.id == tags.c.manifest_id)
        .where(manifests.c.repository_id == repository_id, manifests.c.digest == digest)
    )
    return connection.execute(tag.limit(1)).first() is not None
