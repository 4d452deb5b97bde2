"""Robot accounts as those who manage them see them: each function is a transaction.

Nobody gives a robot more than he has himself, in the same project (CVE-2019-16919), nor takes over one that may do
more: its secret is as good as its rights.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, or_, select

from mooring.access import epoch, refresh
from mooring.access.permissions import EVERYTHING, SYSTEM, Permission
from mooring.database import selection
from mooring.database.pages import Page, select_page
from mooring.database.selection import Exact, Field, Selection, Test
from mooring.errors import Invalid, NotFound
from mooring.identity import robots as accounts
from mooring.identity.robots import PREFIX
from mooring.identity.tables import robots
from mooring.projects.standing import held_in
from mooring.refusals import Reason, Refused

MOST_ENTRIES = 1000
EVERY_PROJECT = "*"
WHOLE_SYSTEM = "/"

Entry = Mapping[str, Any]
"""`{kind, namespace, access: [{resource, action}]}`: kind is `project` or `system`, namespace a project, `*` or `/`."""

_NAME = selection.text(robots.c.name)


def _named(test: Test) -> ColumnElement[bool]:
    """With or without the prefix that every robot's name has."""
    if isinstance(test, Exact):
        return or_(robots.c.name == test.value, robots.c.name == PREFIX + test.value)
    return _NAME.condition(test)


FIELDS = {
    "id": selection.number(robots.c.id),
    "name": Field(_named, _NAME.order),
    "description": selection.text(robots.c.description),
    "disable": selection.flag(robots.c.disabled),
    "duration": selection.number(robots.c.duration_days),
    "creation_time": selection.moment(robots.c.created_at),
    "update_time": selection.moment(robots.c.updated_at),
}


def checked(entries: Sequence[Entry], project: str | None) -> list[dict[str, Any]]:
    """Entries for a robot of this project, or of the system, with each pair once. Raises Invalid."""
    if not entries or len(entries) > MOST_ENTRIES:
        raise Invalid(f"A robot has 1 to {MOST_ENTRIES} entries of permissions.")
    if project is not None and (len(entries) > 1 or entries[0]["kind"] != "project"):
        raise Invalid("A robot of a project has permissions in this project and nowhere else.")
    return [_checked(entry, project) for entry in entries]


def create(
    connection: Connection,
    now: int,
    *,
    giver: str,
    name: str,
    project: tuple[int, str] | None,
    duration_days: int,
    entries: Sequence[Entry],
    secret: str,
    description: str,
    disabled: bool,
) -> RowMapping:
    """`giver` is the subject who asks. Raises Invalid, Conflict and Refused."""
    kept = checked(entries, project[1] if project else None)
    _require_held(connection, giver, kept, now)
    robot_id = accounts.create(
        connection,
        now,
        name=name,
        secret=secret,
        duration_days=duration_days,
        permissions=kept,
        creator=giver,
        project=project,
        description=description,
        disabled=disabled,
    )
    epoch.advance(connection)
    return find(connection, robot_id)


def find(connection: Connection, robot_id: int, project_id: int | None = None) -> RowMapping:
    """Of this project, or any. Raises NotFound."""
    query = select(robots).where(robots.c.id == robot_id)
    if project_id is not None:
        query = query.where(robots.c.project_id == project_id)
    found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFound(f"There is no robot {robot_id}.")
    return found


def page(connection: Connection, project_id: int | None, selected: Selection) -> Page:
    """The robots of a project; those of the system for None."""
    query = select(robots).where(robots.c.project_id.is_not_distinct_from(project_id))
    return select_page(connection, query, selected, FIELDS, [("name", False)], robots.c.id)


def change(
    connection: Connection,
    now: int,
    robot_id: int,
    *,
    giver: str,
    entries: Sequence[Entry] | None,
    values: Mapping[str, Any],
    duration_days: int | None,
) -> None:
    """`values` may have `description` and `disabled`. Raises NotFound, Invalid and Refused."""
    robot = find(connection, robot_id)
    _require_held(connection, giver, robot["permissions"], now)
    changed = dict(values)
    if entries is not None:
        changed["permissions"] = checked(entries, _project_of(robot))
        _require_held(connection, giver, changed["permissions"], now)
    if duration_days is not None and duration_days != robot["duration_days"]:
        # Counted from the beginning, as in Harbor (updateV2Robot).
        changed["expires_at"] = accounts.expiry(robot["created_at"], duration_days)
        changed["duration_days"] = duration_days
    accounts.change(connection, now, robot_id, changed)
    epoch.advance(connection)


def set_secret(connection: Connection, now: int, robot_id: int, *, giver: str, secret_hash: str) -> None:
    """Raises NotFound and Refused."""
    robot = find(connection, robot_id)
    _require_held(connection, giver, robot["permissions"], now)
    accounts.change(connection, now, robot_id, {"secret_hash": secret_hash})
    _end_sessions(connection, robot_id)


def remove(connection: Connection, robot_id: int) -> None:
    connection.execute(delete(robots).where(robots.c.id == robot_id))
    _end_sessions(connection, robot_id)


def _end_sessions(connection: Connection, robot_id: int) -> None:
    refresh.revoke_all(connection, f"robot:{robot_id}")
    epoch.advance(connection)


def _project_of(robot: RowMapping) -> str | None:
    if robot["project_id"] is None:
        return None
    return str(robot["name"]).removeprefix(PREFIX).partition("+")[0]


def _checked(entry: Entry, project: str | None) -> dict[str, Any]:
    kind, namespace = entry["kind"], entry["namespace"]
    if kind not in ("project", "system") or (kind == "system") != (namespace == WHOLE_SYSTEM):
        raise Invalid("A permission's kind is project, with a project's name or *, or system, with the namespace /.")
    if project is not None and namespace != project:
        raise Invalid(f"A robot of the project {project} can't have permissions in another one.")
    known = EVERYTHING if kind == "project" else SYSTEM
    asked = {Permission(access["resource"], access["action"]) for access in entry["access"]}
    if not asked:
        raise Invalid("An entry of permissions has at least one resource with an action.")
    for permission in sorted(asked - known):
        raise Invalid(f"There is no permission {str(permission)[:80]!r} for a {kind}. GET /permissions lists them.")
    access = [{"resource": permission.resource, "action": permission.action} for permission in sorted(asked)]
    return {"kind": kind, "namespace": namespace, "access": access}


def _require_held(connection: Connection, giver: str, entries: Collection[Entry], now: int) -> None:
    for entry in entries:
        held = held_in(connection, giver, entry["kind"], entry["namespace"], now)
        asked = {Permission(access["resource"], access["action"]) for access in entry["access"]}
        missing = ", ".join(sorted(map(str, asked - held))[:5])
        if not held and entry["namespace"] not in (EVERY_PROJECT, WHOLE_SYSTEM):
            text = f"The project {entry['namespace']} does not exist, or you have no rights in it."
            raise Refused(Reason.NO_SUCH_PROJECT, text, resource=entry["namespace"])
        if missing:
            text = f"You can't give, or take over, what you may not do yourself: {missing} in {entry['namespace']}."
            raise Refused(Reason.NO_PERMISSION, text)
