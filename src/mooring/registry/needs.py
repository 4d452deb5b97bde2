"""Who needs a blob, in names that a person can push again or delete: each function is a transaction."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from mooring.registry.tables import manifest_references, manifests, repositories, repository_blobs, tags

MOST = 20

Rows = Sequence[Row[*tuple[Any, ...]]]


def blob_users(connection: Connection, digest: str) -> str:
    """MOST at most: `team/app:1.0`, `team/app@sha256:…` for one without a tag, `team/app` for a blob alone."""
    found: list[str] = []
    for row in _manifests_with(connection, digest):
        found += called(connection, row)
    found += _repositories_without_manifests(connection, digest)
    more = ", and others" if len(found) > MOST else ""
    return ", ".join(found[:MOST]) + more


def called(connection: Connection, manifest: Row[*tuple[Any, ...]]) -> list[str]:
    """The tags that lead to a manifest (`id`, `digest`, `repository_id`, `name` of its repository), or its digest."""
    names = list(_tags_to(connection, manifest.repository_id, manifest.id))
    for parent in _indexes_with(connection, manifest.repository_id, manifest.digest):
        names += _tags_to(connection, manifest.repository_id, parent.id)
    return [f"{manifest.name}:{name}" for name in dict.fromkeys(names)] or [f"{manifest.name}@{manifest.digest}"]


def _manifests_with(connection: Connection, digest: str) -> Rows:
    return connection.execute(
        select(manifests.c.id, manifests.c.digest, manifests.c.repository_id, repositories.c.name)
        .join(manifest_references, manifest_references.c.manifest_id == manifests.c.id)
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .where(manifest_references.c.digest == digest)
        .order_by(repositories.c.name, manifests.c.id)
        .limit(MOST + 1)
    ).all()


def _indexes_with(connection: Connection, repository_id: int, digest: str) -> Rows:
    return connection.execute(
        select(manifest_references.c.manifest_id.label("id"))
        .where(manifest_references.c.repository_id == repository_id, manifest_references.c.digest == digest)
        .order_by(manifest_references.c.manifest_id)
        .limit(MOST + 1)
    ).all()


def _tags_to(connection: Connection, repository_id: int, manifest_id: int) -> Iterator[str]:
    yield from connection.scalars(
        select(tags.c.name)
        .where(tags.c.repository_id == repository_id, tags.c.manifest_id == manifest_id)
        .order_by(tags.c.name)
        .limit(MOST + 1)
    )


def _repositories_without_manifests(connection: Connection, digest: str) -> Sequence[str]:
    using = select(manifest_references.c.repository_id).where(manifest_references.c.digest == digest)
    return connection.scalars(
        select(repositories.c.name)
        .join(repository_blobs, repository_blobs.c.repository_id == repositories.c.id)
        .where(repository_blobs.c.digest == digest, repositories.c.id.not_in(using))
        .order_by(repositories.c.name)
        .limit(MOST + 1)
    ).all()
