"""The index of manifests and tags: what each repository holds, in transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Select, bindparam, delete, insert, literal_column, select

from mooring.database import rows
from mooring.database.lookup import Lookup, Values
from mooring.errors import ManifestBlobUnknown, ManifestUnknown, SizeInvalid
from mooring.observe.audit import log as audit
from mooring.observe.audit.log import Act
from mooring.registry import repositories
from mooring.registry.collection import enqueue_review
from mooring.registry.manifests import Manifest
from mooring.registry.tables import (
    blobs,
    manifest_references,
    manifests,
    repository_blobs,
    tags,
)
from mooring.registry.tables import repositories as repositories_table

CHUNK = 500
"""Values in one `IN` list: far below what either database takes."""


class StoredManifest(NamedTuple):
    id: int
    repository_id: int
    digest: str
    media_type: str
    body: bytes


class Named(NamedTuple):
    """What a tag or a digest leads to, without the bytes: those never change, and may be known already."""

    id: int
    repository_id: int
    digest: str
    media_type: str


@dataclass(frozen=True)
class Push:
    """A manifest that a caller may push, and where to."""

    project_id: int
    repository: str
    digest: str
    manifest: Manifest
    body: bytes
    tags: Sequence[str]
    pushed_by: str


_NAMES = (manifests.c.id, manifests.c.repository_id, manifests.c.digest, manifests.c.media_type)


def _at_digest(*columns: Column[Any]) -> Select[*tuple[Any, ...]]:
    return (
        select(*columns)
        .join(repositories_table, repositories_table.c.id == manifests.c.repository_id)
        .where(repositories_table.c.name == bindparam("repository"), manifests.c.digest == bindparam("digest"))
    )


def _at_tag(*columns: Column[Any]) -> Select[*tuple[Any, ...]]:
    return (
        select(*columns)
        .select_from(repositories_table)
        .join(tags, tags.c.repository_id == repositories_table.c.id)
        # A sum is in no index: a planner that has not seen yet how many manifests there are can only go by the tag.
        .join(
            manifests,
            (manifests.c.id == tags.c.manifest_id)
            & (manifests.c.repository_id + literal_column("0") == tags.c.repository_id),
        )
        .where(repositories_table.c.name == bindparam("repository"), tags.c.name == bindparam("tag"))
    )


def _named(row: Values | None) -> Named | None:
    return Named._make(row) if row else None


def _stored(row: Values | None) -> StoredManifest | None:
    return StoredManifest._make(row) if row else None


by_digest = Lookup(_at_digest(*_NAMES, manifests.c.body), ("repository", "digest"), _stored)
by_tag = Lookup(_at_tag(*_NAMES, manifests.c.body), ("repository", "tag"), _stored)
named_by_digest = Lookup(_at_digest(*_NAMES), ("repository", "digest"), _named)
named_by_tag = Lookup(_at_tag(*_NAMES), ("repository", "tag"), _named)

_ID = select(manifests.c.id).where(
    manifests.c.repository_id == bindparam("repository_id"), manifests.c.digest == bindparam("digest")
)
_LINKED = (
    select(repository_blobs.c.digest, blobs.c.size)
    .join(blobs, blobs.c.digest == repository_blobs.c.digest)
    .where(
        repository_blobs.c.repository_id == bindparam("repository_id"),
        repository_blobs.c.digest.in_(bindparam("digests", expanding=True)),
    )
    .order_by(repository_blobs.c.digest)
    .with_for_update(read=True, of=repository_blobs)
)


def put(connection: Connection, now: int, push: Push) -> None:
    """Raises ManifestBlobUnknown and SizeInvalid when what the manifest needs is not in its repository."""
    repository_id = repositories.ensure(connection, now, push.project_id, push.repository)
    blob_bytes = _require_blobs(connection, repository_id, push.manifest)
    manifest_id = _id_of(connection, repository_id, push.digest)
    if manifest_id is None:
        manifest_id = _insert(connection, now, repository_id, push, blob_bytes + len(push.body))
    for tag in sorted(push.tags):
        set_tag(connection, now, repository_id, tag, manifest_id)
    repositories.touch(connection, now, repository_id)
    audit.note(connection, now, _act(push))


def _act(push: Push) -> Act:
    named = f"{push.repository}:{push.tags[0]}" if push.tags else f"{push.repository}@{push.digest}"
    return Act(push.pushed_by, "create", "artifact", named, push.project_id, push.digest)


def set_tag(connection: Connection, now: int, repository_id: int, tag: str, manifest_id: int) -> None:
    row = {"repository_id": repository_id, "name": tag, "manifest_id": manifest_id, "pushed_at": now}
    rows.put(connection, tags, row, key=(tags.c.repository_id, tags.c.name), change={"manifest_id", "pushed_at"})


def delete_tag(connection: Connection, repository: str, tag: str) -> None:
    """Raises ManifestUnknown."""
    repository_id = repositories.find(connection, repository)
    row = (tags.c.repository_id == repository_id) & (tags.c.name == tag)
    if connection.execute(delete(tags).where(row)).rowcount == 0:
        raise ManifestUnknown


def delete_manifest(connection: Connection, now: int, repository: str, digest: str, delay: int) -> None:
    """With every tag on it; its blobs are reviewed after `delay` microseconds. Raises ManifestUnknown."""
    repository_id = repositories.find(connection, repository)
    manifest_id = None if repository_id is None else _id_of(connection, repository_id, digest)
    if repository_id is None or manifest_id is None:
        raise ManifestUnknown
    needed = select(manifest_references.c.digest).where(
        manifest_references.c.manifest_id == manifest_id, manifest_references.c.kind == "blob"
    )
    for blob in sorted(connection.scalars(needed)):
        enqueue_review(connection, repository_id, blob, now + delay)
    connection.execute(delete(tags).where(tags.c.manifest_id == manifest_id))
    connection.execute(delete(manifest_references).where(manifest_references.c.manifest_id == manifest_id))
    connection.execute(delete(manifests).where(manifests.c.id == manifest_id))


def _id_of(connection: Connection, repository_id: int, digest: str) -> int | None:
    return connection.execute(_ID, {"repository_id": repository_id, "digest": digest}).scalar()


def _insert(connection: Connection, now: int, repository_id: int, push: Push, total_size: int) -> int:
    manifest = push.manifest
    row = {
        "repository_id": repository_id,
        "digest": push.digest,
        "media_type": manifest.media_type,
        "artifact_type": manifest.artifact_type,
        "config_media_type": manifest.config_media_type,
        "subject": manifest.subject,
        "annotations": dict(manifest.annotations),
        "size": len(push.body),
        "total_size": total_size,
        "pushed_by": push.pushed_by,
        "pushed_at": now,
        "body": push.body,
    }
    manifest_id = rows.add(connection, manifests, row)
    references = [
        {
            "manifest_id": manifest_id,
            "digest": reference.digest,
            "repository_id": repository_id,
            "kind": reference.kind,
            "required": reference.required,
            "platform": dict(reference.platform) if reference.platform else None,
        }
        for reference in manifest.references
    ]
    if references:
        connection.execute(insert(manifest_references), references)
    return manifest_id


def _require_blobs(connection: Connection, repository_id: int, manifest: Manifest) -> int:
    """The size of all blobs together. Locks their links, so that no review lets go of one meanwhile."""
    wanted = {item.digest: item for item in manifest.references if item.kind == "blob"}
    found: dict[str, int] = {}
    digests = sorted(wanted)
    for start in range(0, len(digests), CHUNK):
        given = {"repository_id": repository_id, "digests": digests[start : start + CHUNK]}
        found.update((digest, size) for digest, size in connection.execute(_LINKED, given))
    missing = sorted(digest for digest, item in wanted.items() if item.required and digest not in found)
    if missing:
        raise ManifestBlobUnknown(detail={"digests": missing[:20]})
    wrong = sorted(digest for digest, size in found.items() if wanted[digest].size != size)
    if wrong:
        raise SizeInvalid("The manifest gives a blob another size than it has.", detail={"digests": wrong[:20]})
    return sum(found.values())
