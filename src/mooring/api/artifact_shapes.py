"""Artifacts in answers, as in Harbor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from mooring.api.fields import Shape
from mooring.cluster.clock import rfc3339
from mooring.registry.images import ImageConfig
from mooring.registry.kinds import accessory_kind, kind_of

NEVER = "0001-01-01T00:00:00.000Z"
"""Go's zero time, which Harbor gives where nothing was pulled yet."""


@dataclass(frozen=True)
class Hanging:
    """What hangs on the artifacts of one page, by their ids; accessories by the digest that they name."""

    tags: Mapping[int, list[RowMapping]]
    accessories: Mapping[str, list[RowMapping]]
    references: Mapping[int, list[RowMapping]]
    configs: Mapping[int, ImageConfig]


class Tag(Shape):
    id: int
    repository_id: int
    artifact_id: int
    name: str
    push_time: str
    pull_time: str
    immutable: bool = False


class Accessory(Shape):
    id: int
    artifact_id: int
    subject_artifact_id: int
    subject_artifact_digest: str
    subject_artifact_repo: str
    size: int
    digest: str
    type: str
    icon: str = ""
    creation_time: str


class Reference(Shape):
    parent_id: int
    child_id: int
    child_digest: str
    platform: dict[str, Any] | None = None
    annotations: dict[str, str] | None = None
    urls: list[str] | None = None


class Artifact(Shape):
    id: int
    type: str
    media_type: str
    manifest_media_type: str
    artifact_type: str
    project_id: int
    repository_id: int
    repository_name: str
    digest: str
    size: int
    icon: str = ""
    push_time: str
    pull_time: str
    extra_attrs: dict[str, Any]
    annotations: dict[str, str] | None = None
    references: list[Reference] | None = None
    tags: list[Tag] | None = None
    accessories: list[Accessory] | None = None


def artifact_shape(
    row: RowMapping, hanging: Hanging, project_id: int, repository: str, attributes: Mapping[str, Any]
) -> Artifact:
    references = hanging.references.get(row["id"], [])
    config = row["config_media_type"] or row["media_type"]
    return Artifact(
        id=row["id"],
        type=kind_of(row["media_type"], row["config_media_type"]),
        media_type=config,
        manifest_media_type=row["media_type"],
        artifact_type=row["artifact_type"] or config,
        project_id=project_id,
        repository_id=row["repository_id"],
        repository_name=repository,
        digest=row["digest"],
        size=row["total_size"] + sum(child["total_size"] for child in references),
        push_time=rfc3339(row["pushed_at"]),
        pull_time=_time(row["pulled_at"]),
        extra_attrs=dict(attributes),
        annotations=row["annotations"] or None,
        references=[reference_shape(row["id"], child) for child in references] or None,
        tags=[tag_shape(tag) for tag in hanging.tags.get(row["id"], [])],
        accessories=[accessory_shape(each, row, repository) for each in hanging.accessories.get(row["digest"], [])],
    )


def tag_shape(row: RowMapping) -> Tag:
    return Tag(
        id=row["id"],
        repository_id=row["repository_id"],
        artifact_id=row["manifest_id"],
        name=row["name"],
        push_time=rfc3339(row["pushed_at"]),
        pull_time=_time(row["pulled_at"]),
    )


def reference_shape(parent_id: int, row: RowMapping) -> Reference:
    return Reference(
        parent_id=parent_id, child_id=row["child_id"], child_digest=row["digest"], platform=row["platform"]
    )


def accessory_shape(row: RowMapping, subject: RowMapping, repository: str) -> Accessory:
    return Accessory(
        id=row["id"],
        artifact_id=row["id"],
        subject_artifact_id=subject["id"],
        subject_artifact_digest=subject["digest"],
        subject_artifact_repo=repository,
        size=row["total_size"],
        digest=row["digest"],
        type=accessory_kind(row["artifact_type"], row["config_media_type"]),
        creation_time=rfc3339(row["pushed_at"]),
    )


def _time(microseconds: int | None) -> str:
    return NEVER if microseconds is None else rfc3339(microseconds)
