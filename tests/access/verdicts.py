"""What an answer must be, worked out from the text of the permission table and nothing else of the program."""

import re
from dataclasses import dataclass
from typing import Final

from mooring.access.permissions import Permission
from tests.access.people import Caller
from tests.http.site import HOST, Reply

ACTIONS: Final = {
    "pull": Permission("repository", "pull"),
    "push": Permission("repository", "push"),
    "delete": Permission("repository", "delete"),
}


@dataclass(frozen=True)
class Verdict:
    """`reason` is empty for who is let through. `error` is what a Bearer challenge says; None wants no challenge."""

    status: int
    reason: str = ""
    error: str | None = None


LET_THROUGH: Final = Verdict(0)


def on_repository(caller: Caller, project: str, action: str) -> Verdict:
    """The verdict on a request of `/v2` to a repository of one of the stage's projects."""
    if caller.broken:
        return broken(caller)
    held = caller.holds(project, ACTIONS[action])
    within = caller.within is None or action in caller.within
    if held and within:
        return LET_THROUGH
    if project == "missing" and caller.everything:
        return Verdict(404, "no_such_project")
    if not caller.logged_in:
        return Verdict(401, "authentication_required", "insufficient_scope" if caller.token else "")
    if caller.token:
        return Verdict(401, "no_permission", "insufficient_scope")
    return Verdict(403, "no_permission")


def logged_in(caller: Caller, *, anonymous_token: bool) -> Verdict:
    """The verdict on what needs no right but a proven account, or any token of ours."""
    if caller.broken:
        return broken(caller)
    if not caller.logged_in and not (caller.token and anonymous_token):
        return Verdict(401, "authentication_required", "insufficient_scope" if caller.token else "")
    return LET_THROUGH


def broken(caller: Caller) -> Verdict:
    return Verdict(401, caller.broken, "" if caller.broken == "bad_credentials" else "invalid_token")


def differences(verdict: Verdict, reply: Reply, scope: str) -> list[str]:
    """What of a refusal is not as it must be."""
    found = []
    if reply.status != verdict.status:
        found.append(f"status {reply.status}, not {verdict.status}")
    if reply.reason != verdict.reason:
        found.append(f"reason {reply.reason!r}, not {verdict.reason!r}")
    detail = reply.error.get("detail") or {}
    given, wanted = parameters(reply.challenge), challenge(verdict.error, scope)
    # The words are told here too: where there is an `error`, Docker shows nothing else of the answer.
    described = given.pop("error_description", "")
    if given != wanted or (described == "") != ("error" not in wanted):
        found.append(f"challenge {reply.challenge!r}, not {wanted}")
    if detail.get("request_id") != reply.header("x-request-id") or not detail.get("replica"):
        found.append(f"detail {detail} without request id and replica")
    if not re.search(r"\w{3}", str(detail.get("explanation", ""))):
        found.append("no explanation")
    return found


def challenge(error: str | None, scope: str) -> dict[str, str]:
    if error is None:
        return {}
    wanted = {"realm": f"http://{HOST}/service/token", "service": "mooring", "scope": scope, "error": error}
    return {name: value for name, value in wanted.items() if value}


def parameters(header: str) -> dict[str, str]:
    """A Bearer challenge's. Fails for anything else that is not empty."""
    scheme, _, rest = header.partition(" ")
    found = re.findall(r'([a-z_]+)="([^"]*)"(?:,|$)', rest)
    assert scheme in {"Bearer", ""}, header
    assert ",".join(f'{name}="{value}"' for name, value in found) == rest, header
    return dict(found)
