"""Who may call a route: each route declares exactly one `Access`, and without one the application does not start.

An `Access` is a dependency of its route and data at once: `level` and `permission` say what is asked, so that a test
can try every route with every kind of caller against the one permission table.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar
from urllib.parse import unquote

from fastapi import Depends, Header, Path, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import Connection, RowMapping

from mooring.access import challenge
from mooring.access.caller import Caller
from mooring.access.permissions import Permission
from mooring.access.standing import Standing
from mooring.api.fields import LARGEST
from mooring.api.parts import Parts, parts_of
from mooring.errors import NotFound
from mooring.projects import robots
from mooring.projects.standing import evaluate_by_key, evaluate_system
from mooring.refusals import Reason, Refused
from mooring.registry.names import require_repository


class Level(StrEnum):
    OPEN = "open"
    """Anybody; the answer has nothing to guard, or only rows that the caller may see."""
    LOGIN = "login"
    """Whoever is logged in."""
    SYSTEM = "system"
    """Whoever has the permission in the system."""
    SELF = "self"
    """The account that the path names, and whoever has the permission in the system."""
    PROJECT = "project"
    """Whoever has the permission in the project that the path names."""
    ROBOT = "robot"
    """Whoever has the permission where the robot belongs: in its project or the system."""


@dataclass(frozen=True)
class Visit:
    """A request that was allowed."""

    parts: Parts
    caller: Caller
    standing: Standing
    """In the project that the path names, or else in the system."""
    project: str = ""
    repository: str = ""
    """The whole name, with the project."""

    @property
    def subject(self) -> str:
        return self.caller.subject

    @property
    def project_id(self) -> int:
        assert self.standing.project_id is not None
        return self.standing.project_id


async def identify(request: Request) -> Caller:
    """Raises Refused for an Authorization header that proves nothing."""
    try:
        caller = await parts_of(request).callers.identify(request)
    except Refused as refused:
        raise _challenged(refused) from refused
    if caller.token is not None:
        text = "This token was issued for the registry API (/v2/). Log in here with a name and a password."
        raise _challenged(Refused(Reason.WRONG_AUDIENCE, text, subject=caller.name))
    request.state.caller = caller.name
    return caller


Somebody = Annotated[Caller, Depends(identify)]


async def logged_in(caller: Somebody) -> Caller:
    if caller.anonymous:
        raise _challenged(Refused(Reason.AUTHENTICATION_REQUIRED))
    return caller


LoggedIn = Annotated[Caller, Depends(logged_in)]


@dataclass(frozen=True)
class Access:
    permission: Permission | None = None
    level: ClassVar[Level]

    def wanted(self) -> Permission:
        assert self.permission is not None
        return self.permission


@dataclass(frozen=True)
class Unguarded(Access):
    """Asks nothing of the database either: whether the registry answers at all is seen here."""

    level = Level.OPEN

    async def __call__(self) -> None:
        return None


@dataclass(frozen=True)
class Open(Access):
    level = Level.OPEN

    async def __call__(self, request: Request, caller: Somebody) -> Visit:
        return await in_system(request, caller)


@dataclass(frozen=True)
class Login(Access):
    level = Level.LOGIN

    async def __call__(self, request: Request, caller: LoggedIn) -> Visit:
        return await in_system(request, caller)


@dataclass(frozen=True)
class System(Access):
    level = Level.SYSTEM

    async def __call__(self, request: Request, caller: LoggedIn) -> Visit:
        visit = await in_system(request, caller)
        require_in_system(visit, self.wanted())
        return visit


@dataclass(frozen=True)
class OwnAccount(Access):
    level = Level.SELF

    async def __call__(
        self, request: Request, caller: LoggedIn, user_id: Annotated[int, Path(ge=1, le=LARGEST)]
    ) -> Visit:
        visit = await in_system(request, caller)
        if caller.subject != f"user:{user_id}":
            require_in_system(visit, self.wanted())
        return visit


@dataclass(frozen=True)
class InProject(Access):
    """The project is named in the path by its name or id, as Harbor's header says."""

    level = Level.PROJECT

    async def __call__(
        self,
        request: Request,
        caller: Somebody,
        project_name_or_id: Annotated[str, Path(max_length=255)],
        x_is_resource_name: Annotated[bool, Header(description="Whether a number in the path is a name.")] = False,
    ) -> Visit:
        key: str | int = project_name_or_id
        if not x_is_resource_name and is_id(project_name_or_id):
            key = int(project_name_or_id)
        return await in_project(request, caller, key, self.wanted())


@dataclass(frozen=True)
class InNamedProject(Access):
    level = Level.PROJECT

    async def __call__(
        self, request: Request, caller: Somebody, project_name: Annotated[str, Path(max_length=255)]
    ) -> Visit:
        return await in_project(request, caller, project_name, self.wanted())


@dataclass(frozen=True)
class InRepository(Access):
    level = Level.PROJECT

    async def __call__(
        self,
        request: Request,
        caller: Somebody,
        project_name: Annotated[str, Path(max_length=255)],
        repository_name: Annotated[str, Path(max_length=1024, description="A slash in it is encoded twice.")],
    ) -> Visit:
        visit = await in_project(request, caller, project_name, self.wanted())
        whole = require_repository(f"{project_name}/{unquote(repository_name)}")
        return Visit(visit.parts, caller, visit.standing, project_name, whole)


@dataclass(frozen=True)
class OfRobot(Access):
    """The robot's existence is told to those only who may do what they ask for, or know its project."""

    level = Level.ROBOT

    async def __call__(
        self, request: Request, caller: LoggedIn, robot_id: Annotated[int, Path(ge=1, le=LARGEST)]
    ) -> Visit:
        robot = await parts_of(request).database.read(robots.find, robot_id)
        return await self.of(request, caller, robot)

    async def of(self, request: Request, caller: Caller, robot: RowMapping) -> Visit:
        if robot["project_id"] is not None:
            try:
                return await in_project(request, caller, robot["project_id"], self.wanted())
            except Refused as refused:
                if refused.reason == Reason.NO_SUCH_PROJECT:
                    raise NotFound(f"There is no robot {robot['id']}.") from refused
                raise
        visit = await in_system(request, caller)
        if self.wanted() not in visit.standing.permissions:
            raise NotFound(f"There is no robot {robot['id']}.")
        return visit


async def in_system(request: Request, caller: Caller) -> Visit:
    """Raises Refused where the account itself is no longer good."""
    parts = parts_of(request)
    standing = await parts.database.read(evaluate_system, caller.subject, parts.clock.now())
    _require_alive(caller, standing)
    return Visit(parts, caller, standing)


def require_in_system(visit: Visit, permission: Permission) -> None:
    """Raises Refused."""
    if permission not in visit.standing.permissions:
        text = f"{visit.caller.name} may not {permission.action} a {permission.resource} of the system."
        raise Refused(Reason.NO_PERMISSION, text, subject=visit.caller.name, resource=permission.resource)


async def in_project(request: Request, caller: Caller, key: str | int, wanted: Permission) -> Visit:
    """Raises Refused: a project that the caller may not know of is answered like one that does not exist."""
    parts = parts_of(request)
    name, standing = await parts.database.read(_project_standing, caller.subject, key, parts.clock.now())
    _require_alive(caller, standing)
    if standing.project_id is not None and wanted in standing.permissions:
        return Visit(parts, caller, standing, name)
    if caller.anonymous:
        raise _challenged(Refused(Reason.AUTHENTICATION_REQUIRED))
    if not standing.permissions:
        text = f"The project {key} does not exist, or {caller.name} has no rights in it."
        raise Refused(Reason.NO_SUCH_PROJECT, text, subject=caller.name, resource=str(key))
    role = f" with the role {standing.role}" if standing.role else ""
    text = f"{caller.name}{role} may not {wanted.action} a {wanted.resource} in the project {name}."
    raise Refused(Reason.NO_PERMISSION, text, subject=caller.name, resource=name)


def is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def access_of(route: APIRoute) -> Access:
    """What a route declares. Raises TypeError unless it is exactly one thing."""
    found = list(_accesses(route.dependant))
    if len(found) != 1:
        raise TypeError(f"{sorted(route.methods or ())} {route.path} declares {len(found)} accesses; it must be one")
    return found[0]


def _accesses(dependant: Dependant) -> list[Access]:
    call: object = dependant.call
    here = [call] if isinstance(call, Access) else []
    return [*here, *(access for child in dependant.dependencies for access in _accesses(child))]


def _project_standing(connection: Connection, subject: str, key: str | int, now: int) -> tuple[str, Standing]:
    return evaluate_by_key(connection, subject, key, now)


def _require_alive(caller: Caller, standing: Standing) -> None:
    if standing.refusal is not None:
        raise _challenged(Refused(standing.refusal, subject=caller.name))


def _challenged(refused: Refused) -> Refused:
    refused.challenge = challenge.basic() if refused.answer_status == 401 else None
    return refused
