"""Artifacts of repositories, and what hangs on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Response
from sqlalchemy import Connection, RowMapping

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import InRepository
from mooring.api.artifact_shapes import Accessory, Artifact, Hanging, accessory_shape, artifact_shape
from mooring.api.paging import Whole
from mooring.api.repositories import ONE
from mooring.api.visit import Visit
from mooring.database.pages import Page
from mooring.database.selection import Selection
from mooring.registry import artifacts, images, removal
from mooring.registry import listing as listings

LIST, READ, DELETE = (Permission("artifact", action) for action in ("list", "read", "delete"))
LIST_ACCESSORIES = Permission("accessory", "list")

ARTIFACTS = f"{ONE}/artifacts"
ONE_ARTIFACT = f"{ARTIFACTS}/{{reference}}"

Reference = Annotated[str, Path(max_length=255, description="A digest or a tag.")]
With = Annotated[bool, Query()]
Without = Annotated[bool, Query(description="Taken for Harbor's sake: there is nothing of the kind here.")]

router = routing.router("artifact")


@dataclass(frozen=True)
class Wanted:
    tags: bool
    accessories: bool


def wanted(
    with_tag: With = True,
    with_accessory: With = True,
    with_label: Without = False,
    with_scan_overview: Without = False,
    with_sbom_overview: Without = False,
    with_signature: Without = False,
    with_immutable_status: Without = False,
    with_inherited_accessory: Without = False,
) -> Wanted:
    return Wanted(with_tag, with_accessory)


Parts = Annotated[Wanted, Depends(wanted)]


@router.get(ARTIFACTS)
async def list_artifacts(
    listing: Whole, parts: Parts, visit: Annotated[Visit, Depends(InRepository(LIST))]
) -> list[Artifact]:
    page, hanging = await visit.parts.database.read(_page, visit, listing.selected)
    listing.told(page.total)
    return await _shaped(visit, page.rows, hanging, parts)


@router.get(ONE_ARTIFACT)
async def get_artifact(
    reference: Reference, parts: Parts, visit: Annotated[Visit, Depends(InRepository(READ))]
) -> Artifact:
    row, hanging = await visit.parts.database.read(_one, visit, reference)
    return (await _shaped(visit, [row], hanging, parts))[0]


@router.delete(ONE_ARTIFACT, response_class=Response)
async def delete_artifact(reference: Reference, visit: Annotated[Visit, Depends(InRepository(DELETE))]) -> Response:
    """With all its tags, and what belongs to nothing else."""
    named = f"{visit.repository}{'@' if ':' in reference else ':'}{reference}"
    remove = visit.noted("delete", "artifact", named, _remove)
    await visit.parts.database.write(remove, visit.parts.clock.now(), visit, reference, visit.parts.collection_delay)
    return Response()


@router.get(f"{ONE_ARTIFACT}/accessories")
async def list_accessories(
    listing: Whole, reference: Reference, visit: Annotated[Visit, Depends(InRepository(LIST_ACCESSORIES))]
) -> list[Accessory]:
    subject, page = await visit.parts.database.read(_accessories, visit, reference, listing.selected)
    return listing.answer(page, lambda row: accessory_shape(row, subject, visit.repository))


def _page(connection: Connection, visit: Visit, selected: Selection) -> tuple[Page, Hanging]:
    repository_id = listings.repository_id_of(connection, visit.project_id, visit.repository)
    page = artifacts.artifact_page(connection, repository_id, selected)
    return page, _hanging(connection, repository_id, page.rows)


def _one(connection: Connection, visit: Visit, reference: str) -> tuple[RowMapping, Hanging]:
    row = find(connection, visit, reference)
    return row, _hanging(connection, row["repository_id"], [row])


def _remove(connection: Connection, now: int, visit: Visit, reference: str, delay: int) -> None:
    row = find(connection, visit, reference)
    removal.remove_artifact(connection, now, row["repository_id"], visit.repository, row["digest"], delay)


def _accessories(connection: Connection, visit: Visit, reference: str, selected: Selection) -> tuple[RowMapping, Page]:
    row = find(connection, visit, reference)
    return row, artifacts.accessory_page(connection, row["repository_id"], row["digest"], selected)


def find(connection: Connection, visit: Visit, reference: str) -> RowMapping:
    """The artifact, through its repository and that through its project. Raises NameUnknown and ManifestUnknown."""
    repository_id = listings.repository_id_of(connection, visit.project_id, visit.repository)
    return artifacts.artifact(connection, repository_id, reference)


def _hanging(connection: Connection, repository_id: int, rows: Sequence[RowMapping]) -> Hanging:
    ids, digests = [row["id"] for row in rows], [row["digest"] for row in rows]
    return Hanging(
        tags=listings.tags_of(connection, ids),
        accessories=artifacts.accessories_of(connection, repository_id, digests),
        references=artifacts.references_of(connection, ids),
        configs=images.configs_of(connection, ids),
    )


async def _shaped(visit: Visit, rows: Sequence[RowMapping], hanging: Hanging, parts: Wanted) -> list[Artifact]:
    shaped = []
    for row in rows:
        config = hanging.configs.get(row["id"])
        attributes = await visit.parts.images.attributes(config) if config else {}
        artifact = artifact_shape(row, hanging, visit.project_id, visit.repository, attributes)
        artifact.tags = artifact.tags if parts.tags else None
        artifact.accessories = artifact.accessories if parts.accessories else None
        shaped.append(artifact)
    return shaped
