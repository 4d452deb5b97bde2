"""Repositories."""

from typing import Annotated, ClassVar

from fastapi import Depends, Response
from sqlalchemy import Connection, RowMapping, True_, select

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import InNamedProject, InRepository, Open
from mooring.api.fields import Body, Note, Shape, named
from mooring.api.paging import Whole
from mooring.api.visit import Visit
from mooring.cluster.clock import rfc3339
from mooring.database.pages import Page
from mooring.database.selection import Selection
from mooring.projects.standing import where_held
from mooring.projects.tables import projects
from mooring.registry import listing as listings
from mooring.registry import removal
from mooring.registry.tables import repositories

LIST, READ, UPDATE, DELETE = (Permission("repository", action) for action in ("list", "read", "update", "delete"))

PROJECT = "/projects/{project_name}/repositories"
ONE = f"{PROJECT}/{{repository_name}}"

router = routing.router("repository")


class Repository(Shape):
    id: int
    project_id: int
    name: str
    description: str
    artifact_count: int
    pull_count: int
    creation_time: str
    update_time: str


class Description(Body):
    dropped: ClassVar[frozenset[str]] = named("id project_id name artifact_count pull_count creation_time update_time")

    description: Note = ""


@router.get("/repositories")
async def list_all(listing: Whole, visit: Annotated[Visit, Depends(Open(LIST))]) -> list[Repository]:
    now = visit.parts.clock.now()
    return listing.answer(await visit.parts.database.read(_page, visit.subject, now, listing.selected), _shape)


@router.get(PROJECT)
async def list_repositories(listing: Whole, visit: Annotated[Visit, Depends(InNamedProject(LIST))]) -> list[Repository]:
    within = repositories.c.project_id == visit.project_id
    return listing.answer(await visit.parts.database.read(listings.repository_page, within, listing.selected), _shape)


@router.get(ONE)
async def get_repository(visit: Annotated[Visit, Depends(InRepository(READ))]) -> Repository:
    return _shape(await visit.parts.database.read(listings.repository, visit.project_id, visit.repository))


@router.put(ONE, response_class=Response)
async def describe_repository(
    repository: Description, visit: Annotated[Visit, Depends(InRepository(UPDATE))]
) -> Response:
    await visit.parts.database.write(
        visit.noted("update", "repository", visit.repository, listings.describe_repository),
        visit.parts.clock.now(),
        visit.project_id,
        visit.repository,
        repository.description,
    )
    return Response()


@router.delete(ONE, response_class=Response)
async def delete_repository(visit: Annotated[Visit, Depends(InRepository(DELETE))]) -> Response:
    remove = visit.noted("delete", "repository", visit.repository, removal.remove_repository)
    await visit.parts.database.write(remove, visit.parts.clock.now(), visit.project_id, visit.repository)
    return Response()


def _page(connection: Connection, subject: str, now: int, selected: Selection) -> Page:
    held = where_held(connection, subject, LIST, now)
    readable = repositories.c.project_id.in_(select(projects.c.id).where(held))
    return listings.repository_page(connection, held if isinstance(held, True_) else readable, selected)


def _shape(row: RowMapping) -> Repository:
    return Repository(
        id=row["id"],
        project_id=row["project_id"],
        name=row["name"],
        description=row["description"],
        artifact_count=row["artifact_count"],
        pull_count=row["pull_count"],
        creation_time=rfc3339(row["created_at"]),
        update_time=rfc3339(row["updated_at"]),
    )
