"""Who may call a route: each route declares exactly one `Access`, and without one the application does not start.

An `Access` is a dependency of its route and data at once: `level` and `permission` say what is asked, so that a test
can try every route with every kind of caller against the one permission table.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar
from urllib.parse import unquote

from fastapi import Header, Path, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import RowMapping

from mooring.access.caller import Caller
from mooring.access.permissions import Permission
from mooring.api.fields import LARGEST
from mooring.api.parts import parts_of
from mooring.api.visit import LoggedIn, Somebody, Visit, in_project, in_system, is_id, require_in_system
from mooring.errors import NotFound
from mooring.projects import robots
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
