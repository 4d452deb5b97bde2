"""The metadata of a project, by itself."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Path, Response
from pydantic import Field

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import InProject
from mooring.api.fields import Line
from mooring.api.visit import Visit
from mooring.errors import Invalid, NotFound, PreconditionFailed
from mooring.projects import metadata, projects

LIST, READ, CREATE, UPDATE, DELETE = (
    Permission("metadata", action) for action in ("list", "read", "create", "update", "delete")
)

Name = Annotated[str, Path(max_length=64)]
One = Annotated[dict[str, Line], Field(min_length=1, max_length=1)]
"""A name and its value."""

router = routing.router("projectMetadata", "/projects/{project_name_or_id}/metadatas")


@router.get("")
async def list_metadata(visit: Annotated[Visit, Depends(InProject(LIST))]) -> dict[str, str]:
    return await _all(visit)


@router.post("", response_class=Response)
async def add_metadata(given: One, visit: Annotated[Visit, Depends(InProject(CREATE))]) -> Response:
    await _set(visit, metadata.checked({**given}))
    return Response()


@router.get("/{meta_name}")
async def get_metadata(meta_name: Name, visit: Annotated[Visit, Depends(InProject(READ))]) -> dict[str, str]:
    return {meta_name: _found(await _all(visit), meta_name)}


@router.put("/{meta_name}", response_class=Response)
async def set_metadata(meta_name: Name, given: One, visit: Annotated[Visit, Depends(InProject(UPDATE))]) -> Response:
    if meta_name not in given:
        raise Invalid(f"The body has to name {meta_name[:40]!r}.")
    await _set(visit, metadata.checked({**given}))
    return Response()


@router.delete("/{meta_name}", response_class=Response)
async def delete_metadata(meta_name: Name, visit: Annotated[Visit, Depends(InProject(DELETE))]) -> Response:
    if meta_name == metadata.PUBLIC:
        raise PreconditionFailed("A project is public or it is not: set it to false.")
    _found(await _all(visit), meta_name)
    await visit.parts.database.write(
        _change(visit, f"{meta_name} unset"),
        visit.parts.clock.now(),
        visit.project_id,
        public=None,
        metadata={meta_name: None},
    )
    return Response()


async def _all(visit: Visit) -> dict[str, str]:
    row = await visit.parts.database.read(projects.find, visit.project_id, visit.subject)
    return {metadata.PUBLIC: "true" if row["public"] else "false", **row["metadata"]}


async def _set(visit: Visit, kept: dict[str, str]) -> None:
    if not kept:
        raise Invalid("This metadata can't be set here.")
    await visit.parts.database.write(
        _change(visit, ", ".join(f"{key}={value}" for key, value in kept.items())),
        visit.parts.clock.now(),
        visit.project_id,
        public=metadata.is_public(kept),
        metadata={key: value for key, value in kept.items() if key != metadata.PUBLIC},
    )


def _change(visit: Visit, description: str) -> Callable[..., None]:
    return visit.noted("update", "project", visit.project, projects.change, description)


def _found(known: dict[str, str], name: str) -> str:
    if name not in known:
        raise NotFound(f"This project has no metadata {name[:40]!r}.")
    return known[name]
