"""Repositories: rows that appear with the first push."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, select, update

from mooring.cluster.clock import SECOND
from mooring.database import rows, short
from mooring.registry.tables import repositories

_FIND = select(repositories.c.id).where(repositories.c.name == bindparam("name"))

_TOUCH = update(repositories).where(
    repositories.c.id == bindparam("repository_id"), repositories.c.updated_at <= bindparam("before")
)


@short
def find(connection: Connection, name: str) -> int | None:
    return connection.execute(_FIND, {"name": name}).scalar()


def ensure(connection: Connection, now: int, project_id: int, name: str) -> int:
    """The repository's id; made if it is not there. The caller has been allowed to push to the project."""
    found = find(connection, name)
    if found is not None:
        return found
    row = {"project_id": project_id, "name": name, "created_at": now, "updated_at": now}
    rows.add_if_new(connection, repositories, row)
    return int(connection.execute(_FIND, {"name": name}).scalar_one())


def touch(connection: Connection, now: int, repository_id: int) -> None:
    """To the second: all pushes to a repository would wait for each other, each until the one before is synced."""
    connection.execute(_TOUCH, {"repository_id": repository_id, "before": now - SECOND, "updated_at": now})


def page(connection: Connection, project_ids: Collection[int] | None, last: str, limit: int) -> Sequence[str]:
    """Names after `last` in order, of these projects, or of all."""
    query = select(repositories.c.name).where(repositories.c.name > last).order_by(repositories.c.name).limit(limit)
    if project_ids is not None:
        query = query.where(repositories.c.project_id.in_(project_ids))
    return connection.execute(query).scalars().all()
