"""Repositories and tags as people look at them: pages of rows. The registry itself asks none of this."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, select, update

from mooring.database import selection
from mooring.database.pages import Page, select_newest, select_page
from mooring.database.rows import among
from mooring.database.selection import Selection
from mooring.errors import NameUnknown
from mooring.registry.artifacts import alone
from mooring.registry.tables import repositories, tags

MOST_SHOWN = 1000
"""Tags shown with one artifact; their own list goes on by pages."""

REPOSITORIES = {
    "id": selection.number(repositories.c.id),
    "name": selection.text(repositories.c.name),
    "project_id": selection.number(repositories.c.project_id),
    "description": selection.text(repositories.c.description),
    "pull_count": selection.number(repositories.c.pull_count),
    "creation_time": selection.moment(repositories.c.created_at),
    "update_time": selection.moment(repositories.c.updated_at),
}
TAGS = {
    "id": selection.number(tags.c.id),
    "name": selection.text(tags.c.name),
    "push_time": selection.moment(tags.c.pushed_at),
    "pull_time": selection.moment(tags.c.pulled_at),
}
"""By their names in Harbor's API."""

_COUNTED = select(repositories, alone(repositories.c.id).label("artifact_count"))


def repository_page(connection: Connection, within: ColumnElement[bool], selected: Selection) -> Page:
    """`within` is a condition on `repositories`. Raises Invalid."""
    usual = [("creation_time", True)]
    return select_page(connection, _COUNTED, selected, REPOSITORIES, usual, repositories.c.id, [within])


def repository(connection: Connection, project_id: int, name: str) -> RowMapping:
    """Found through its project. Raises NameUnknown."""
    named = (repositories.c.name == name) & (repositories.c.project_id == project_id)
    found = connection.execute(_COUNTED.where(named)).mappings().first()
    if found is None:
        raise NameUnknown(f"The repository {name} does not exist.")
    return found


def repository_id_of(connection: Connection, project_id: int, name: str) -> int:
    """Found through its project. Raises NameUnknown."""
    named = (repositories.c.name == name) & (repositories.c.project_id == project_id)
    found = connection.execute(select(repositories.c.id).where(named)).scalar()
    if found is None:
        raise NameUnknown(f"The repository {name} does not exist.")
    return int(found)


def describe_repository(connection: Connection, now: int, project_id: int, name: str, description: str) -> None:
    """Raises NameUnknown."""
    named = (repositories.c.name == name) & (repositories.c.project_id == project_id)
    changed = update(repositories).where(named).values(description=description, updated_at=now)
    if connection.execute(changed).rowcount == 0:
        raise NameUnknown(f"The repository {name} does not exist.")


def tag_page(connection: Connection, manifest_id: int, selected: Selection) -> Page:
    within = [tags.c.manifest_id == manifest_id]
    return select_page(connection, select(tags), selected, TAGS, [("push_time", True)], tags.c.id, within)


def tags_of(connection: Connection, manifest_ids: Sequence[int]) -> Mapping[int, list[RowMapping]]:
    """The newest of each, at most MOST_SHOWN."""
    query = select(tags).where(among(connection, tags.c.manifest_id, manifest_ids))
    return select_newest(connection, query, tags.c.manifest_id, tags.c.id, MOST_SHOWN)
