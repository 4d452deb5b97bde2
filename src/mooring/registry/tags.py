from collections.abc import Sequence

from sqlalchemy import Connection, select

from mooring.database import short
from mooring.errors import NameUnknown
from mooring.registry import repositories
from mooring.registry.tables import tags


@short
def page(connection: Connection, repository: str, last: str, limit: int) -> Sequence[str]:
    """Tags after `last`, in byte order. Raises NameUnknown."""
    repository_id = repositories.find(connection, repository)
    if repository_id is None:
        raise NameUnknown
    return connection.scalars(
        select(tags.c.name)
        .where(tags.c.repository_id == repository_id, tags.c.name > last)
        .order_by(tags.c.name)
        .limit(limit)
    ).all()
