"""The rules that turn an account and a project into permissions, read from one permission table."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, True_, false, or_, select, true

from mooring.access.permissions import EVERY_USER, EVERYTHING, PUBLIC, PULL, ROLES, SYSTEM, Permission, Role
from mooring.access.standing import Standing
from mooring.database import short
from mooring.identity.tables import robots, users
from mooring.projects.tables import members, projects
from mooring.refusals import Reason


@short
def evaluate(connection: Connection, subject: str, project: str, now: int) -> Standing:
    """`subject` is `user:ID`, `robot:ID` or empty for nobody."""
    found = connection.execute(select(projects.c.id, projects.c.public).where(projects.c.name == project)).first()
    project_id, public = (found.id, found.public) if found else (None, False)
    kind, _, number = subject.partition(":")
    if kind == "user":
        return _of_user(connection, int(number), project_id, public)
    if kind == "robot":
        return _of_robot(connection, int(number), project, project_id, public, now)
    return Standing(project_id, _open_to_all(public))


def _of_user(connection: Connection, user_id: int, project_id: int | None, public: bool) -> Standing:
    user = connection.execute(
        select(users.c.system_admin, users.c.disabled, members.c.role_id)
        .outerjoin(members, (members.c.user_id == users.c.id) & (members.c.project_id == project_id))
        .where(users.c.id == user_id)
    ).first()
    if user is None:
        return Standing(project_id, refusal=Reason.REVOKED)
    if user.disabled:
        return Standing(project_id, refusal=Reason.DISABLED)
    if user.system_admin:
        return Standing(project_id, EVERYTHING if project_id else frozenset(), True, "system administrator")
    if user.role_id is None:
        return Standing(project_id, _open_to_all(public))
    role = Role(user.role_id)
    return Standing(project_id, ROLES[role] | _open_to_all(public), role=role.harbor_name)


def _of_robot(
    connection: Connection, robot_id: int, project: str, project_id: int | None, public: bool, now: int
) -> Standing:
    robot = _robot(connection, robot_id)
    refusal = _robot_refusal(robot, now)
    if robot is None or refusal is not None:
        return Standing(project_id, refusal=refusal)
    given = _given(robot, "project", (project, "*")) if project_id is not None else frozenset()
    return Standing(
        project_id,
        EVERYTHING.intersection(given) | _open_to_all(public),
        role="robot",
        until=robot["expires_at"],
    )


def _open_to_all(public: bool) -> frozenset[Permission]:
    return ROLES[PUBLIC] if public else frozenset()


def evaluate_by_key(connection: Connection, subject: str, key: str | int, now: int) -> tuple[str, Standing]:
    """The project's name with the standing in it; `key` is a name, or an id if it is a number."""
    if isinstance(key, int):
        key = connection.execute(select(projects.c.name).where(projects.c.id == key)).scalar() or ""
    return key, evaluate(connection, subject, key, now)


def evaluate_system(connection: Connection, subject: str, now: int) -> Standing:
    """What somebody may do outside of any project."""
    kind, _, number = subject.partition(":")
    if kind == "user":
        standing = _of_user(connection, int(number), None, False)
        return replace(standing, permissions=SYSTEM if standing.system_admin else EVERY_USER)
    if kind == "robot":
        robot = _robot(connection, int(number))
        refusal = _robot_refusal(robot, now)
        if robot is None or refusal is not None:
            return Standing(None, refusal=refusal)
        return Standing(None, SYSTEM.intersection(_given(robot, "system", ("/",))), role="robot")
    return Standing(None)


def held_in(connection: Connection, subject: str, kind: str, namespace: str, now: int) -> frozenset[Permission]:
    """What somebody may do where an entry of a robot's permissions points: see `projects.robots.Entry`."""
    if kind == "system":
        return evaluate_system(connection, subject, now).permissions
    if namespace != "*":
        return evaluate(connection, subject, namespace, now).permissions
    system = evaluate_system(connection, subject, now)
    if system.system_admin:
        return EVERYTHING
    robot = _robot(connection, int(subject.partition(":")[2])) if subject.startswith("robot:") else None
    alive = robot is not None and system.refusal is None
    return EVERYTHING.intersection(_given(robot, "project", ("*",))) if robot and alive else frozenset()


def where_held(connection: Connection, subject: str, permission: Permission, now: int) -> ColumnElement[bool]:
    """A condition on the table `projects`: those in which somebody has a permission."""
    public: ColumnElement[bool] = projects.c.public if permission in ROLES[PUBLIC] else false()
    kind, _, number = subject.partition(":")
    held: ColumnElement[bool] = false()
    if kind == "user":
        held = _held_by_user(connection, int(number), permission)
    if kind == "robot":
        held = _held_by_robot(connection, int(number), permission, now)
    return held if isinstance(held, True_) else or_(public, held)


def _held_by_user(connection: Connection, user_id: int, permission: Permission) -> ColumnElement[bool]:
    user = connection.execute(select(users.c.system_admin, users.c.disabled).where(users.c.id == user_id)).first()
    if user is None or user.disabled:
        return false()
    if user.system_admin:
        return true()
    roles = [role for role in Role if permission in ROLES[role]]
    held: ColumnElement[bool] = projects.c.id.in_(
        select(members.c.project_id).where(members.c.user_id == user_id, members.c.role_id.in_(roles))
    )
    return held


def _held_by_robot(connection: Connection, robot_id: int, permission: Permission, now: int) -> ColumnElement[bool]:
    robot = _robot(connection, robot_id)
    if robot is None or _robot_refusal(robot, now) is not None:
        return false()
    names = {entry["namespace"] for entry in robot["permissions"] if permission in _accesses(entry, "project")}
    held: ColumnElement[bool] = projects.c.name.in_(sorted(names))
    return true() if "*" in names else held


def visible(connection: Connection, subject: str, now: int) -> Collection[int] | None:
    """Ids of the projects that somebody may pull from; None stands for all of them."""
    held = where_held(connection, subject, PULL, now)
    return None if isinstance(held, True_) else connection.scalars(select(projects.c.id).where(held)).all()


def _robot(connection: Connection, robot_id: int) -> RowMapping | None:
    return connection.execute(select(robots).where(robots.c.id == robot_id)).mappings().first()


def _robot_refusal(robot: RowMapping | None, now: int) -> Reason | None:
    if robot is None:
        return Reason.REVOKED
    if robot["disabled"]:
        return Reason.DISABLED
    expired = robot["expires_at"] is not None and robot["expires_at"] <= now
    return Reason.CREDENTIALS_EXPIRED if expired else None


def _given(robot: RowMapping, kind: str, namespaces: Collection[str]) -> frozenset[Permission]:
    entries = (entry for entry in robot["permissions"] if entry["namespace"] in namespaces)
    return frozenset(access for entry in entries for access in _accesses(entry, kind))


def _accesses(entry: Mapping[str, Any], kind: str) -> Iterator[Permission]:
    if entry["kind"] == kind:
        yield from (Permission(item["resource"], item["action"]) for item in entry["access"])
