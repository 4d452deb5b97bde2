"""Invariant 6 for `/api/v2.0`: every route, tried by every kind of caller, answers as the permission table says.

The routes, and what each declares, are taken from the application. One that nobody wrote a request for fails.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from fastapi import APIRouter

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import Access, Level, Unguarded, access_of
from mooring.api.app import declared
from tests.access.people import PROJECTS, Caller, Stage, add_robot, pairs, set_stage
from tests.access.verdicts import LET_THROUGH, Verdict
from tests.http.site import Reply, Site

PREFIX: Final = "/api/v2.0"
ONE_PROJECT: Final = "/projects/{project_name_or_id}"
REPOSITORIES: Final = "/projects/{project_name}/repositories"
ARTIFACTS: Final = f"{REPOSITORIES}/{{repository_name}}/artifacts"
ONE_ARTIFACT: Final = f"{ARTIFACTS}/{{reference}}"
NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True)
class Asked:
    """A request that shows who is let through, does no harm when it is, and the answer that it gets then."""

    status: int = 200
    code: str = ""
    body: Any = None
    query: str = ""
    number: int | None = None
    """What stands for a user, member or robot in the path; 999999 is nobody."""
    words: tuple[tuple[str, str], ...] = ()


NOBODY: Final = 999_999
ABSENT: Final = Asked(404, "NOT_FOUND", number=NOBODY)
BAD: Final = Asked(400, "BAD_REQUEST")
ROBOT: Final = {"name": "Bad Name", "duration": -1, "permissions": []}
REQUESTS: Final = {
    "GET /ping": Asked(),
    "GET /health": Asked(),
    "GET /systeminfo": Asked(),
    "GET /openapi.json": Asked(),
    "GET /cluster": Asked(),
    "GET /alerts": Asked(),
    "GET /probes": Asked(),
    "GET /permissions": Asked(),
    "GET /denials": Asked(),
    f"GET {ONE_PROJECT}/denials": Asked(),
    "GET /audit-logs": Asked(),
    "GET /auditlog-exts": Asked(),
    "GET /auditlog-exts/events": Asked(),
    "GET /projects/{project_name}/logs": Asked(),
    "GET /projects/{project_name}/auditlog-exts": Asked(),
    "GET /users/current/permissions": Asked(query="scope=/system"),
    "GET /users": Asked(),
    "POST /users": Asked(409, "CONFLICT", {"username": "outsider", "password": "Sailor-of-the-7-seas"}),
    "GET /users/search": Asked(query="username=out"),
    "GET /users/current": Asked(),
    "GET /users/{user_id}": Asked(),
    "PUT /users/{user_id}": Asked(body={}),
    "DELETE /users/{user_id}": ABSENT,
    "PUT /users/{user_id}/sysadmin": Asked(404, "NOT_FOUND", {"sysadmin_flag": True}, number=NOBODY),
    "PUT /users/{user_id}/password": Asked(404, "NOT_FOUND", {"new_password": "Sailor-8"}, number=NOBODY),
    "GET /projects": Asked(),
    "HEAD /projects": Asked(query="project_name=open"),
    "POST /projects": Asked(409, "CONFLICT", {"project_name": "open"}),
    f"GET {ONE_PROJECT}": Asked(),
    f"PUT {ONE_PROJECT}": Asked(body={}),
    f"DELETE {ONE_PROJECT}": Asked(412, "PRECONDITION"),
    f"GET {ONE_PROJECT}/_deletable": Asked(),
    f"GET {ONE_PROJECT}/summary": Asked(),
    f"GET {ONE_PROJECT}/metadatas": Asked(),
    f"POST {ONE_PROJECT}/metadatas": Asked(body={"severity": "low"}),
    f"GET {ONE_PROJECT}/metadatas/{{meta_name}}": Asked(words=(("meta_name", "public"),)),
    f"PUT {ONE_PROJECT}/metadatas/{{meta_name}}": Asked(
        body={"auto_scan": "false"}, words=(("meta_name", "auto_scan"),)
    ),
    f"DELETE {ONE_PROJECT}/metadatas/{{meta_name}}": Asked(404, "NOT_FOUND", words=(("meta_name", "none"),)),
    f"GET {ONE_PROJECT}/members": Asked(),
    f"POST {ONE_PROJECT}/members": Asked(
        404, "NOT_FOUND", {"role_id": 3, "member_user": {"username": "nobody-at-all"}}
    ),
    f"GET {ONE_PROJECT}/members/{{mid}}": ABSENT,
    f"PUT {ONE_PROJECT}/members/{{mid}}": Asked(404, "NOT_FOUND", {"role_id": 3}, number=NOBODY),
    f"DELETE {ONE_PROJECT}/members/{{mid}}": ABSENT,
    "GET /robots": Asked(),
    "POST /robots": Asked(400, "BAD_REQUEST", {**ROBOT, "level": "system"}),
    "GET /robots/{robot_id}": Asked(),
    "PUT /robots/{robot_id}": Asked(body={}),
    "PATCH /robots/{robot_id}": Asked(400, "BAD_REQUEST", {"secret": "weak"}),
    "DELETE /robots/{robot_id}": Asked(),
    f"GET {ONE_PROJECT}/robots": Asked(),
    f"POST {ONE_PROJECT}/robots": Asked(400, "BAD_REQUEST", {"name": "Bad Name"}),
    f"GET {ONE_PROJECT}/robots/{{robot_id}}": ABSENT,
    f"PUT {ONE_PROJECT}/robots/{{robot_id}}": Asked(404, "NOT_FOUND", {}, number=NOBODY),
    f"PATCH {ONE_PROJECT}/robots/{{robot_id}}": Asked(404, "NOT_FOUND", {}, number=NOBODY),
    f"DELETE {ONE_PROJECT}/robots/{{robot_id}}": ABSENT,
    "GET /repositories": Asked(),
    f"GET {REPOSITORIES}": Asked(),
    f"GET {REPOSITORIES}/{{repository_name}}": Asked(),
    f"PUT {REPOSITORIES}/{{repository_name}}": Asked(body={"description": "The app"}),
    f"DELETE {REPOSITORIES}/{{repository_name}}": Asked(404, "NAME_UNKNOWN", words=(("repository_name", "none"),)),
    f"GET {ARTIFACTS}": Asked(),
    f"GET {ONE_ARTIFACT}": Asked(),
    f"DELETE {ONE_ARTIFACT}": Asked(404, "MANIFEST_UNKNOWN", words=(("reference", "none"),)),
    f"GET {ONE_ARTIFACT}/accessories": Asked(),
    f"GET {ONE_ARTIFACT}/tags": Asked(),
    f"POST {ONE_ARTIFACT}/tags": Asked(409, "CONFLICT", {"name": "latest"}),
    f"DELETE {ONE_ARTIFACT}/tags/{{tag_name}}": Asked(404, "MANIFEST_UNKNOWN", words=(("tag_name", "none"),)),
}
ROUTES: Final = {f"{method} {route.path}": access for route, access in declared() for method in route.methods or ()}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch, Site(directory / "data") as site:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
        yield set_stage(site)


def test_every_route_has_a_request() -> None:
    assert set(ROUTES) == set(REQUESTS)


def test_a_route_that_declares_nothing_is_no_route() -> None:
    undeclared = routing.router("test")

    @undeclared.get("/undeclared")
    async def endpoint() -> None: ...

    with pytest.raises(TypeError, match="declares 0 accesses"):
        access_of(only_route(undeclared))


def only_route(router: APIRouter) -> Any:
    (route,) = router.routes
    return route


def test_every_route_asks_for_what_it_does() -> None:
    """Declared by hand, but never by chance: the path and the method tell which permission it must be."""
    odd = {
        "GET /projects": "project:list",
        "HEAD /projects": "None",
        "GET /repositories": "repository:list",
        "GET /cluster": "cluster:read",
        "GET /alerts": "cluster:read",
        "GET /probes": "cluster:read",
        "PUT /users/{user_id}/sysadmin": "user:update",
        "PUT /users/{user_id}/password": "user:update",
        f"GET {ONE_PROJECT}/_deletable": "project:delete",
        f"GET {ONE_PROJECT}/summary": "project:read",
        f"GET {ONE_ARTIFACT}/accessories": "accessory:list",
        "GET /projects/{project_name}/auditlog-exts": "log:list",
    }
    for name, access in ROUTES.items():
        if access.level not in {Level.OPEN, Level.LOGIN} or name in odd:
            assert str(access.permission) == odd.get(name, usual_permission(name)), name


def usual_permission(name: str) -> str:
    method, _, path = name.partition(" ")
    parts = path.strip("/").split("/")
    one = parts[-1].startswith("{")
    resource = {"repositories": "repository"}.get(parts[-2 if one else -1], parts[-2 if one else -1].removesuffix("s"))
    actions = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
    return f"{resource}:{actions.get(method, 'read' if one else 'list')}"


@pytest.mark.parametrize("name", sorted(ROUTES), ids=lambda name: name.replace("/", "."))
def test_route(stage: Stage, name: str) -> None:
    access, asked = ROUTES[name], REQUESTS[name]
    wrong = []
    for project in PROJECTS if access.level == Level.PROJECT else ("closed",):
        for caller in stage.callers.values():
            number = asked.number or fresh_number(stage, name, caller)
            reply = ask(stage, name, caller, asked, project, number)
            wanted = verdict(stage, access, name, caller, project, number)
            wrong += [f"{caller.name} on {project}: {text}" for text in differences(wanted, reply, asked)]
    assert not wrong, f"{len(wrong)} wrong answers\n" + "\n".join(wrong[:20])


def test_lists_show_what_the_caller_may_read(stage: Stage) -> None:
    for caller in stage.callers.values():
        if caller.broken or caller.token:
            continue
        readable = {name for name in ("open", "closed", "other") if caller.holds(name, Permission("project", "read"))}
        reply = stage.site.ask("GET", f"{PREFIX}/projects", caller.headers)
        assert {item["name"] for item in reply.json} - {"library"} == readable, caller.name
        assert reply.header("x-total-count") == str(len(reply.json))
        listed = {name for name in ("open", "closed", "other") if caller.holds(name, Permission("repository", "list"))}
        reply = stage.site.ask("GET", f"{PREFIX}/repositories", caller.headers)
        assert {item["name"] for item in reply.json} == {f"{name}/app" for name in listed}, caller.name


def fresh_number(stage: Stage, name: str, caller: Caller) -> int:
    if "{robot_id}" not in name:
        return stage.user_ids["outsider"]
    if not name.startswith("DELETE"):
        return stage.robot_ids["robot$closed+builder"]
    given = {"closed": pairs("repository:pull")}
    return add_robot(stage.site, f"fresh-{next(NUMBERS)}", given, project=("closed", stage.project_ids))


def ask(stage: Stage, name: str, caller: Caller, asked: Asked, project: str, number: int) -> Reply:
    method, _, template = name.partition(" ")
    words = {
        "project_name_or_id": project,
        "project_name": project,
        "repository_name": "app",
        "reference": "latest",
        "meta_name": "public",
        "tag_name": "latest",
        "user_id": number,
        "mid": number,
        "robot_id": number,
        **dict(asked.words),
    }
    body = b"" if asked.body is None else json.dumps(asked.body).encode()
    headers = [*caller.headers, ("content-type", "application/json")]
    return stage.site.ask(method, PREFIX + template.format(**words), headers, body, asked.query)


def verdict(stage: Stage, access: Access, name: str, caller: Caller, project: str, number: int) -> Verdict:
    """By the text of the permission table and what the route declares; nothing else of the program is asked."""
    if isinstance(access, Unguarded):
        return LET_THROUGH
    if caller.token and caller.broken != "malformed":
        return Verdict(401, "wrong_audience")
    if caller.broken:
        return Verdict(401, caller.broken)
    if access.level == Level.OPEN:
        return LET_THROUGH
    if access.level == Level.PROJECT:
        return in_project(caller, project, access.wanted())
    if not caller.logged_in:
        return Verdict(401, "authentication_required")
    if name == "GET /users/current" and "robot" in caller.account:
        return Verdict(412)
    if access.level == Level.LOGIN:
        return LET_THROUGH
    if access.level == Level.ROBOT and "{robot_id}" in name:
        found = in_project(caller, "closed", access.wanted())
        # Whoever may not know the project may not know its robots.
        return Verdict(404) if found.reason == "no_such_project" else found
    own = access.level == Level.SELF and stage.user_ids.get(caller.account) == number
    return LET_THROUGH if own or caller.holds_outside(access.wanted()) else Verdict(403, "no_permission")


def in_project(caller: Caller, project: str, permission: Permission) -> Verdict:
    if caller.holds(project, permission):
        return LET_THROUGH
    if not caller.logged_in:
        return Verdict(401, "authentication_required")
    known = project == "open" or caller.everything or project in caller.columns or caller.given.get(project)
    return Verdict(403, "no_permission") if known and project != "missing" else Verdict(404, "no_such_project")


def differences(wanted: Verdict, reply: Reply, asked: Asked) -> list[str]:
    found = []
    status, reason = (asked.status, "") if wanted == LET_THROUGH else (wanted.status, wanted.reason)
    if reply.status != status:
        found.append(f"status {reply.status}, not {status}: {reply.body[:300]!r}")
    if reply.status < 400 or not reply.body:
        return found
    if reply.reason != reason:
        found.append(f"reason {reply.reason!r}, not {reason!r}")
    if wanted == LET_THROUGH and reply.code != asked.code:
        found.append(f"code {reply.code}, not {asked.code}")
    if reply.challenge != ('Basic realm="mooring"' if reply.status == 401 else ""):
        found.append(f"challenge {reply.challenge!r}")
    return found
