"""Projects: each function is a transaction. Who may call it was decided before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, select, update

from mooring.access import epoch, refresh
from mooring.access.permissions import Permission, Role
from mooring.database import rows, selection
from mooring.database.pages import Page, select_page
from mooring.database.selection import Selection
from mooring.errors import Conflict, Invalid, NotFound, PreconditionFailed
from mooring.identity.tables import robots, users
from mooring.projects.standing import where_held
from mooring.projects.tables import members, projects
from mooring.registry.names import LONGEST, PROJECT
from mooring.registry.tables import blobs, repositories, repository_blobs

READ = Permission("project", "read")

FIELDS = {
    "project_id": selection.number(projects.c.id),
    "name": selection.text(projects.c.name),
    "public": selection.flag(projects.c.public),
    "owner": selection.text(projects.c.owner_name),
    "owner_id": selection.number(projects.c.owner_id),
    "creation_time": selection.moment(projects.c.created_at),
    "update_time": selection.moment(projects.c.updated_at),
}
"""By their names in Harbor's API."""


@dataclass(frozen=True)
class Summary:
    repositories: int
    members: Mapping[Role, int]
    bytes_used: int


def create(
    connection: Connection, now: int, *, name: str, public: bool, metadata: Mapping[str, str], creator: str
) -> int:
    """`creator` is a subject; a person becomes the owner and the first project administrator.

    Raises Invalid and Conflict.
    """
    if len(name) > LONGEST or not PROJECT.fullmatch(name):
        raise Invalid("A project's name is made of lower-case letters and digits, with . _ or - between them.")
    if connection.execute(select(projects.c.id).where(projects.c.name == name)).first() is not None:
        raise Conflict(f"The project {name} exists already.")
    kind, _, number = creator.partition(":")
    owner = int(number) if kind == "user" else None
    row = {
        "name": name,
        "public": public,
        "owner_id": owner,
        "owner_name": _name_of(connection, creator),
        "metadata": dict(metadata),
        "created_at": now,
        "updated_at": now,
    }
    project_id = rows.add(connection, projects, row)
    if owner is not None:
        member = {"project_id": project_id, "user_id": owner, "role_id": int(Role.PROJECT_ADMIN)}
        rows.add(connection, members, {**member, "created_at": now, "updated_at": now})
    epoch.advance(connection)
    return project_id


def find(connection: Connection, project_id: int, subject: str) -> RowMapping:
    """With its number of repositories, and the role that somebody has in it. Raises NotFound."""
    found = connection.execute(_described(subject).where(projects.c.id == project_id)).mappings().first()
    if found is None:
        raise NotFound("This project does not exist any more.")
    return found


def exists(connection: Connection, name: str, subject: str, now: int) -> bool:
    """Whether there is such a project for somebody's eyes."""
    row = select(projects.c.id).where(projects.c.name == name, where_held(connection, subject, READ, now))
    return connection.execute(row).first() is not None


def page(connection: Connection, subject: str, now: int, selected: Selection, *, all_of_them: bool) -> Page:
    """Those that somebody may read. Raises Invalid."""
    query = _described(subject)
    if not all_of_them:
        query = query.where(where_held(connection, subject, READ, now))
    return select_page(connection, query, selected, FIELDS, [("name", False)], projects.c.id)


def change(
    connection: Connection, now: int, project_id: int, *, public: bool | None, metadata: Mapping[str, str | None]
) -> None:
    """Metadata is added to what is there; None removes a key. Raises NotFound."""
    query = select(projects.c.metadata).where(projects.c.id == project_id).with_for_update()
    found = connection.execute(query).scalar()
    if found is None:
        raise NotFound("This project does not exist any more.")
    merged = {key: value for key, value in {**found, **metadata}.items() if value is not None}
    values: dict[str, Any] = {"metadata": merged, "updated_at": now}
    if public is not None:
        values["public"] = public
    connection.execute(update(projects).where(projects.c.id == project_id).values(**values))
    epoch.advance(connection)


def obstacle(connection: Connection, project_id: int) -> str | None:
    """Why the project can't be deleted, in a sentence."""
    held = connection.execute(
        select(func.count()).select_from(repositories).where(repositories.c.project_id == project_id)
    ).scalar_one()
    return f"The project still has repositories ({held}). Delete them first." if held else None


def remove(connection: Connection, project_id: int) -> None:
    """With its members and robots. Raises PreconditionFailed while it has repositories."""
    found = obstacle(connection, project_id)
    if found is not None:
        raise PreconditionFailed(found)
    name = connection.execute(select(projects.c.name).where(projects.c.id == project_id)).scalar()
    for robot_id in connection.scalars(select(robots.c.id).where(robots.c.project_id == project_id)).all():
        refresh.revoke_all(connection, f"robot:{robot_id}")
    connection.execute(delete(robots).where(robots.c.project_id == project_id))
    connection.execute(delete(members).where(members.c.project_id == project_id))
    connection.execute(delete(projects).where(projects.c.id == project_id))
    _forget_in_system_robots(connection, str(name))
    epoch.advance(connection)


def summary(connection: Connection, project_id: int) -> Summary:
    count = select(func.count()).select_from(repositories).where(repositories.c.project_id == project_id)
    by_role = (
        select(members.c.role_id, func.count()).where(members.c.project_id == project_id).group_by(members.c.role_id)
    )
    held = (
        select(repository_blobs.c.digest)
        .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
        .where(repositories.c.project_id == project_id)
    )
    used = select(func.coalesce(func.sum(blobs.c.size), 0)).where(blobs.c.digest.in_(held))
    return Summary(
        repositories=connection.execute(count).scalar_one(),
        members={Role(role): number for role, number in connection.execute(by_role)},
        bytes_used=int(connection.execute(used).scalar_one()),
    )


def _described(subject: str) -> Select[*tuple[Any, ...]]:
    kind, _, number = subject.partition(":")
    person = int(number) if kind == "user" else None
    count = select(func.count()).where(repositories.c.project_id == projects.c.id).scalar_subquery()
    role = (
        select(members.c.role_id)
        .where(members.c.project_id == projects.c.id, members.c.user_id == person)
        .scalar_subquery()
    )
    return select(projects, count.label("repo_count"), role.label("role_id"))


def _name_of(connection: Connection, subject: str) -> str:
    kind, _, number = subject.partition(":")
    column = users.c.username if kind == "user" else robots.c.name
    return str(connection.execute(select(column).where(column.table.c.id == int(number))).scalar() or "")


def _forget_in_system_robots(connection: Connection, name: str) -> None:
    """A later project of the same name is another one: nobody was given rights in it."""
    found = connection.execute(select(robots.c.id, robots.c.permissions).where(robots.c.project_id.is_(None)))
    for robot_id, permissions in found.all():
        kept = [entry for entry in permissions if (entry["kind"], entry["namespace"]) != ("project", name)]
        if len(kept) != len(permissions):
            connection.execute(update(robots).where(robots.c.id == robot_id).values(permissions=kept))
