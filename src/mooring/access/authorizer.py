"""May this caller do this to that repository? The only place where `/v2` requests are allowed or refused."""

from typing import NamedTuple

from mooring.access.caller import Caller
from mooring.access.permissions import SCOPE_ACTIONS
from mooring.access.standing import Standing, Standings
from mooring.refusals import Reason, Refused


class Grant(NamedTuple):
    project_id: int
    permissions: Standing


class Authorizer:
    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    async def require(self, caller: Caller, repository: str, action: str) -> Grant:
        """Raises Refused. `action` is one of a repository scope's: pull, push, delete."""
        project = project_of(repository)
        wanted = SCOPE_ACTIONS[action]
        standing = await self._standings.of(caller.subject, project, wanted)
        if standing.refusal is not None:
            raise Refused(standing.refusal, subject=caller.name, resource=repository)
        held = wanted in standing.permissions and standing.project_id is not None
        if not held:
            raise _refusal(caller, standing, repository, action)
        if caller.token is not None and not caller.token.grants(repository, action):
            raise _narrow_token(caller, standing, repository, action)
        assert standing.project_id is not None
        return Grant(standing.project_id, standing)

    async def require_account(self, caller: Caller) -> None:
        """For what needs no right, but an account that is still good. Raises Refused."""
        standing = await self._standings.fresh(caller.subject, "")
        if standing.refusal is not None:
            raise Refused(standing.refusal, subject=caller.name)

    async def may(self, caller: Caller, repository: str, action: str) -> bool:
        try:
            await self.require(caller, repository, action)
        except Refused:
            return False
        return True


def project_of(repository: str) -> str:
    return repository.partition("/")[0]


def _refusal(caller: Caller, standing: Standing, repository: str, action: str) -> Refused:
    project = project_of(repository)
    if standing.project_id is None and standing.system_admin:
        return Refused(
            Reason.NO_SUCH_PROJECT,
            f"The project {project} does not exist. Create it first.",
            subject=caller.name,
            resource=repository,
        )
    if caller.anonymous:
        text = f"You are not logged in, and {action} on {repository} is not open to everybody."
        return Refused(Reason.AUTHENTICATION_REQUIRED, text, resource=repository, facts=_facts(caller, standing))
    if standing.permissions:
        role = f" with the role {standing.role}" if standing.role else ""
        text = (
            f"{caller.name}{role} may not {action} to {repository}."
            if action == "push"
            else (f"{caller.name}{role} may not {action} {repository}.")
        )
    else:
        # The same words whether the project exists or not: its name may be a secret.
        text = f"The project {project} does not exist, or {caller.name} has no {action} right in it."
    return Refused(
        Reason.NO_PERMISSION,
        text,
        subject=caller.name,
        resource=repository,
        facts=_facts(caller, standing),
        status=401 if caller.token is not None else None,
    )


def _narrow_token(caller: Caller, standing: Standing, repository: str, action: str) -> Refused:
    return Refused(
        Reason.AUTHENTICATION_REQUIRED if caller.anonymous else Reason.NO_PERMISSION,
        f"This token was not issued for {action} on {repository}. Ask for one with that scope.",
        subject=caller.name,
        resource=repository,
        facts=_facts(caller, standing),
        status=401,
    )


def _facts(caller: Caller, standing: Standing) -> dict[str, object]:
    """What he may do and what his token was issued for, beside what he wanted."""
    may = [action for action, permission in SCOPE_ACTIONS.items() if permission in standing.permissions]
    facts: dict[str, object] = {"role": standing.role, "may": may, "project_exists": standing.project_id is not None}
    if caller.token is not None:
        facts |= {"granted": [str(scope) for scope in caller.token.scopes], "exp": caller.token.expires_at}
    return facts
