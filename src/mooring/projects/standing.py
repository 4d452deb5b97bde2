"""The rules that turn an account and a project into permissions, read from one permission table."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from mooring.access.permissions import EVERYTHING, PUBLIC, PULL, ROLES, Permission, Role
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
    robot = connection.execute(select(robots).where(robots.c.id == robot_id)).mappings().first()
    if robot is None:
        return Standing(project_id, refusal=Reason.REVOKED)
    if robot["disabled"]:
        return Standing(project_id, refusal=Reason.DISABLED)
    if robot["expires_at"] is not None and robot["expires_at"] <= now:
        return Standing(project_id, refusal=Reason.CREDENTIALS_EXPIRED)
    granted = _granted(robot, project) if project_id is not None else frozenset()
    return Standing(project_id, granted | _open_to_all(public), role="robot", until=robot["expires_at"])


def _granted(robot: RowMapping, project: str) -> frozenset[Permission]:
    entries: Iterable[dict[str, Any]] = robot["permissions"]
    matching = (entry for entry in entries if entry["kind"] == "project" and entry["namespace"] in (project, "*"))
    given = (Permission(item["resource"], item["action"]) for entry in matching for item in entry["access"])
    return EVERYTHING.intersection(given)


def _open_to_all(public: bool) -> frozenset[Permission]:
    return ROLES[PUBLIC] if public else frozenset()


def visible(connection: Connection, subject: str, now: int) -> Collection[int] | None:
    """Ids of the projects that somebody may pull from; None stands for all of them."""
    kind, _, number = subject.partition(":")
    open_or_own: ColumnElement[bool] = projects.c.public.is_(True)
    if kind == "user":
        user = connection.execute(
            select(users.c.system_admin, users.c.disabled).where(users.c.id == int(number))
        ).first()
        if user is not None and user.system_admin and not user.disabled:
            return None
        if user is not None and not user.disabled:
            own = select(members.c.project_id).where(members.c.user_id == int(number))
            open_or_own = projects.c.public | projects.c.id.in_(own)
    if kind == "robot":
        named = _pullable_by_robot(connection, int(number), now)
        if "*" in named:
            return None
        open_or_own = projects.c.public | projects.c.name.in_(sorted(named))
    return connection.scalars(select(projects.c.id).where(open_or_own)).all()


def _pullable_by_robot(connection: Connection, robot_id: int, now: int) -> set[str]:
    robot = connection.execute(select(robots).where(robots.c.id == robot_id)).mappings().first()
    if robot is None or robot["disabled"] or (robot["expires_at"] or now + 1) <= now:
        return set()
    return {
        entry["namespace"]
        for entry in robot["permissions"]
        if entry["kind"] == "project" and any((item["resource"], item["action"]) == PULL for item in entry["access"])
    }
