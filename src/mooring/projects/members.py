"""Members of projects: each function is a transaction. A member is always found through his project.

Nobody gives, changes or takes a role that can do more than he himself can: the right to manage members, which
robots can have too, is no way to become an administrator.
"""

from sqlalchemy import Connection, RowMapping, Select, delete, select, update

from mooring.access import epoch
from mooring.access.permissions import ROLES, Permission, Role
from mooring.database import rows, selection
from mooring.database.pages import Page, select_page
from mooring.database.selection import Selection
from mooring.errors import Conflict, NotFound
from mooring.identity.tables import users
from mooring.projects.tables import members
from mooring.refusals import Reason, Refused

FIELDS = {
    "id": selection.number(members.c.id),
    "entity_name": selection.text(users.c.username),
    "role_id": selection.number(members.c.role_id),
}


def add(
    connection: Connection, now: int, project_id: int, user: int | str, role: Role, held: frozenset[Permission]
) -> int:
    """`user` is an id or a name; `held` is what the one who asks may do. Raises NotFound, Conflict and Refused."""
    _require_below(role, held)
    wanted = users.c.id == user if isinstance(user, int) else users.c.username == user
    user_id = connection.execute(select(users.c.id).where(wanted)).scalar()
    if user_id is None:
        raise NotFound(f"There is no user {user}.")
    present = select(members.c.id).where(members.c.project_id == project_id, members.c.user_id == user_id)
    if connection.execute(present).first() is not None:
        raise Conflict("This user is a member of the project already.")
    row = {"project_id": project_id, "user_id": user_id, "role_id": int(role)}
    member_id = rows.add(connection, members, {**row, "created_at": now, "updated_at": now})
    epoch.advance(connection)
    return member_id


def find(connection: Connection, project_id: int, member_id: int) -> RowMapping:
    """Raises NotFound."""
    found = connection.execute(_named(project_id).where(members.c.id == member_id)).mappings().first()
    if found is None:
        raise NotFound(f"This project has no member {member_id}.")
    return found


def page(connection: Connection, project_id: int, selected: Selection) -> Page:
    usual = [("entity_name", False)]
    return select_page(connection, _named(project_id), selected, FIELDS, usual, members.c.id)


def change(
    connection: Connection, now: int, project_id: int, member_id: int, role: Role, held: frozenset[Permission]
) -> None:
    """Raises NotFound and Refused."""
    _require_below(Role(find(connection, project_id, member_id)["role_id"]), held)
    _require_below(role, held)
    row = (members.c.id == member_id) & (members.c.project_id == project_id)
    connection.execute(update(members).where(row).values(role_id=int(role), updated_at=now))
    epoch.advance(connection)


def remove(connection: Connection, project_id: int, member_id: int, held: frozenset[Permission]) -> None:
    """Raises NotFound and Refused."""
    _require_below(Role(find(connection, project_id, member_id)["role_id"]), held)
    connection.execute(delete(members).where(members.c.id == member_id, members.c.project_id == project_id))
    epoch.advance(connection)


def _named(project_id: int) -> Select[int, int, int, int, str]:
    return (
        select(members.c.id, members.c.project_id, members.c.user_id, members.c.role_id, users.c.username)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.project_id == project_id)
    )


def _require_below(role: Role, held: frozenset[Permission]) -> None:
    missing = sorted(map(str, ROLES[role] - held))
    if missing:
        text = f"The role {role.harbor_name} may do more than you: {', '.join(missing[:5])}."
        raise Refused(Reason.NO_PERMISSION, text)
