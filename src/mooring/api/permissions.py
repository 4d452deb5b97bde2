"""What robots may be given, and what the caller may do himself."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Query

from mooring.access.permissions import EVERYTHING, SYSTEM, Permission
from mooring.api import routing
from mooring.api.access import Login
from mooring.api.fields import Line, Shape
from mooring.api.visit import Visit, is_id
from mooring.projects.standing import evaluate_by_key

router = routing.router("permissions")


class Access(Shape):
    resource: str
    action: str


class Permissions(Shape):
    system: list[Access]
    project: list[Access]


@router.get("/permissions", dependencies=[Depends(Login())])
async def list_permissions() -> Permissions:
    return Permissions(system=_accesses("", SYSTEM), project=_accesses("", EVERYTHING))


@router.get("/users/current/permissions")
async def my_permissions(
    visit: Annotated[Visit, Depends(Login())],
    scope: Annotated[Line, Query(description="`/system`, or `/project/` with an id or a name.")] = "",
    relative: Annotated[bool, Query(description="Whether the scope is left out of the resources.")] = False,
) -> list[Access]:
    scope = scope.rstrip("/")
    prefix = "" if relative else f"{scope}/"
    if scope == "/system":
        return _accesses(prefix, visit.standing.permissions)
    if not scope.startswith("/project/"):
        return []
    named = scope.removeprefix("/project/")
    key: int | str = int(named) if is_id(named) else named
    _, standing = await visit.parts.database.read(evaluate_by_key, visit.subject, key, visit.parts.clock.now())
    found = _accesses(prefix, standing.permissions)
    # In Harbor the project itself has no name within its own scope.
    own = "." if relative else scope
    return [Access(resource=own, action=it.action) if it.resource == f"{prefix}project" else it for it in found]


def _accesses(prefix: str, permissions: Iterable[Permission]) -> list[Access]:
    return [Access(resource=f"{prefix}{each.resource}", action=each.action) for each in sorted(permissions)]
