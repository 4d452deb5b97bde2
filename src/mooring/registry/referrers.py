"""Which manifests name another one as their subject (distribution-spec, "Listing Referrers")."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, select

from mooring.database import short
from mooring.registry import manifest_index, repositories
from mooring.registry.manifests import IMAGES, INDEXES
from mooring.registry.tables import manifests

PAGE = 500


@short
def page(connection: Connection, repository: str, subject: str, artifact_type: str, last: str) -> list[dict[str, Any]]:
    """Descriptors after the digest `last`, by digest, at most PAGE of them; empty where nothing is known."""
    repository_id = repositories.find(connection, repository)
    if repository_id is None:
        return []
    query = (
        select(
            manifests.c.digest,
            manifests.c.media_type,
            manifests.c.artifact_type,
            manifests.c.config_media_type,
            manifests.c.size,
            manifests.c.annotations,
        )
        .where(
            manifests.c.repository_id == repository_id,
            manifests.c.subject == subject,
            manifests.c.digest > last,
        )
        .order_by(manifests.c.digest)
        .limit(PAGE)
    )
    if artifact_type:
        inherits = (manifests.c.artifact_type == "") & manifests.c.media_type.in_(IMAGES)
        query = query.where(
            (manifests.c.artifact_type == artifact_type) | (inherits & (manifests.c.config_media_type == artifact_type))
        )
    return [_descriptor(row) for row in connection.execute(query).mappings()]


@short
def fallback(connection: Connection, repository: str, subject: str, artifact_type: str) -> list[dict[str, Any]]:
    """Descriptors of the index that a client without this API left under the tag `sha256-…`.

    Only those whose manifest is in the repository and really names the subject would be found by `page`; the others,
    whose manifest says nothing of its subject, are known by this index alone.
    """
    index = manifest_index.by_tag(connection, repository, subject.replace(":", "-", 1))
    if index is None or index.media_type not in INDEXES:
        return []
    entries: Sequence[Mapping[str, Any]] = msgspec.json.decode(index.body).get("manifests") or []
    present = set(
        connection.scalars(
            select(manifests.c.digest).where(
                manifests.c.repository_id == index.repository_id,
                manifests.c.digest.in_([entry["digest"] for entry in entries[:PAGE]]),
                manifests.c.subject.is_distinct_from(subject),
            )
        )
    )
    wanted = (dict(entry) for entry in entries if entry["digest"] in present)
    return [entry for entry in wanted if not artifact_type or entry.get("artifactType") == artifact_type]


def _descriptor(row: RowMapping) -> dict[str, Any]:
    artifact_type = row["artifact_type"] or (row["config_media_type"] if row["media_type"] in IMAGES else "")
    descriptor = {"mediaType": row["media_type"], "digest": row["digest"], "size": row["size"]}
    if artifact_type:
        descriptor["artifactType"] = artifact_type
    if row["annotations"]:
        descriptor["annotations"] = row["annotations"]
    return descriptor
