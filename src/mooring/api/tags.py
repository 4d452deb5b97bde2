"""Tags of artifacts."""

from typing import Annotated, ClassVar

from fastapi import Depends, Path, Query, Request, Response
from sqlalchemy import Connection

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import InRepository
from mooring.api.answers import created
from mooring.api.artifact_shapes import Tag, tag_shape
from mooring.api.artifacts import ONE_ARTIFACT, Reference, find
from mooring.api.fields import Body, Line
from mooring.api.paging import Whole
from mooring.api.visit import Visit
from mooring.database.pages import Page
from mooring.database.selection import Selection
from mooring.errors import Conflict, ManifestUnknown
from mooring.registry import listing as listings
from mooring.registry import manifest_index
from mooring.registry.names import require_tag

CREATE, LIST, DELETE = (Permission("tag", action) for action in ("create", "list", "delete"))

TAGS = f"{ONE_ARTIFACT}/tags"

router = routing.router("artifact")


class NewTag(Body):
    dropped: ClassVar[frozenset[str]] = frozenset(
        {"id", "repository_id", "artifact_id", "push_time", "pull_time", "immutable", "signed"}
    )

    name: Line


@router.get(TAGS)
async def list_tags(
    listing: Whole,
    reference: Reference,
    visit: Annotated[Visit, Depends(InRepository(LIST))],
    with_immutable_status: Annotated[bool, Query(description="Taken for Harbor's sake.")] = False,
    with_signature: Annotated[bool, Query(description="Taken for Harbor's sake.")] = False,
) -> list[Tag]:
    return listing.answer(await visit.parts.database.read(_page, visit, reference, listing.selected), tag_shape)


@router.post(TAGS, status_code=201, response_class=Response)
async def create_tag(
    request: Request, reference: Reference, tag: NewTag, visit: Annotated[Visit, Depends(InRepository(CREATE))]
) -> Response:
    create = visit.noted("create", "tag", f"{visit.repository}:{tag.name}", _create, reference)
    await visit.parts.database.write(create, visit.parts.clock.now(), visit, reference, require_tag(tag.name))
    return created(request, tag.name)


@router.delete(f"{TAGS}/{{tag_name}}", response_class=Response)
async def delete_tag(
    reference: Reference,
    tag_name: Annotated[str, Path(max_length=255)],
    visit: Annotated[Visit, Depends(InRepository(DELETE))],
) -> Response:
    delete = visit.noted("delete", "tag", f"{visit.repository}:{tag_name}", _delete)
    await visit.parts.database.write(delete, visit, reference, require_tag(tag_name))
    return Response()


def _page(connection: Connection, visit: Visit, reference: str, selected: Selection) -> Page:
    return listings.tag_page(connection, find(connection, visit, reference)["id"], selected)


def _create(connection: Connection, now: int, visit: Visit, reference: str, name: str) -> None:
    artifact = find(connection, visit, reference)
    if manifest_index.by_tag(connection, visit.repository, name) is not None:
        raise Conflict(f"The tag {name} exists already in this repository.")
    manifest_index.set_tag(connection, now, artifact["repository_id"], name, artifact["id"])


def _delete(connection: Connection, visit: Visit, reference: str, name: str) -> None:
    artifact = find(connection, visit, reference)
    tagged = manifest_index.by_tag(connection, visit.repository, name)
    if tagged is None or tagged.id != artifact["id"]:
        raise ManifestUnknown(f"This artifact has no tag {name}.")
    manifest_index.delete_tag(connection, visit.repository, name)
