"""Requests that were allowed: who sent them, and what they may do where they ask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Request
from sqlalchemy import Connection

from mooring.access import challenge
from mooring.access.caller import Caller
from mooring.access.permissions import Permission
from mooring.access.standing import Standing
from mooring.api.parts import Parts, parts_of
from mooring.observe.audit.log import Act, Naming, noted
from mooring.projects.standing import evaluate_by_key, evaluate_system
from mooring.refusals import Reason, Refused

P = ParamSpec("P")
T = TypeVar("T")


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

    def noted(
        self,
        operation: str,
        resource_type: str,
        resource: str | Naming,
        transaction: Callable[Concatenate[Connection, P], T],
        description: str = "",
    ) -> Callable[Concatenate[Connection, P], T]:
        """The transaction, with a row in the audit log that says who did it."""
        name, naming = (resource, None) if isinstance(resource, str) else ("", resource)
        act = Act(self.caller.name, operation, resource_type, name, self.standing.project_id, description)
        return noted(self.parts.clock.now(), act, transaction, naming)

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
        raise Refused(
            Reason.NO_PERMISSION,
            text,
            subject=visit.caller.name,
            resource=permission.resource,
            action=permission.action,
            facts={"role": visit.standing.role},
        )


async def in_project(request: Request, caller: Caller, key: str | int, wanted: Permission) -> Visit:
    """Raises Refused: a project that the caller may not know of is answered like one that does not exist."""
    parts = parts_of(request)
    name, standing = await parts.database.read(evaluate_by_key, caller.subject, key, parts.clock.now())
    _require_alive(caller, standing)
    if standing.project_id is not None and wanted in standing.permissions:
        return Visit(parts, caller, standing, name)
    raise _refusal_in_project(caller, standing, key, name, wanted)


def _refusal_in_project(caller: Caller, standing: Standing, key: str | int, name: str, wanted: Permission) -> Refused:
    role = f" with the role {standing.role}" if standing.role else ""
    if caller.anonymous:
        refused = _challenged(Refused(Reason.AUTHENTICATION_REQUIRED))
    elif not standing.permissions:
        text = f"The project {key} does not exist, or {caller.name} has no rights in it."
        refused = Refused(Reason.NO_SUCH_PROJECT, text)
    else:
        text = f"{caller.name}{role} may not {wanted.action} a {wanted.resource} in the project {name}."
        refused = Refused(Reason.NO_PERMISSION, text)
    exists = standing.project_id is not None
    refused.subject, refused.resource, refused.action = caller.name, str(key), str(wanted)
    refused.project = name if exists else ""
    refused.facts = {"role": standing.role, "project_exists": exists}
    return refused


def is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _require_alive(caller: Caller, standing: Standing) -> None:
    if standing.refusal is not None:
        raise _challenged(Refused(standing.refusal, subject=caller.name))


def _challenged(refused: Refused) -> Refused:
    refused.challenge = challenge.basic() if refused.answer_status == 401 else None
    return refused
