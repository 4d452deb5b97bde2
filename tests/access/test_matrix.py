"""Invariant 6: every route, tried by every kind of caller, answers as the permission table says.

The routes are taken from the application. One that nobody wrote an expectation for fails.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import pytest
from starlette.routing import Route

from mooring.app import routes
from mooring.registry.endpoints.routes import ROUTES
from tests.access.people import CONFIG, IMAGE, MANIFEST, PROJECTS, Caller, Stage
from tests.access.verdicts import LET_THROUGH, Verdict, broken, differences, logged_in, on_repository
from tests.http.site import Headers, Reply

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
HELD: Final = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
IMAGE_DIGEST: Final = f"sha256:{hashlib.sha256(IMAGE).hexdigest()}"
UNKNOWN: Final = f"sha256:{'0' * 64}"
NEW: Final = b"pushed by the matrix"
NEW_DIGEST: Final = f"sha256:{hashlib.sha256(NEW).hexdigest()}"


@dataclass(frozen=True)
class Expected:
    """What a route needs in the repository, a request that exercises it, and the answer to who may."""

    action: str
    path: str
    status: int
    code: str = ""
    headers: Headers = ()
    body: bytes = b""


UPLOAD: Final = "/v2/{name}/blobs/uploads/1b4e28ba2fa1411f8e3f0123456789ab"
MANIFESTS, BLOBS = "/v2/{name}/manifests/{reference}", "/v2/{name}/blobs/{reference}"
SESSIONS: Final = "/v2/{name}/blobs/uploads/{reference}"
JSON: Final = [("content-type", MANIFEST)]
V2: Final = {
    ("GET", MANIFESTS): Expected("pull", "/v2/{name}/manifests/latest", 200),
    ("HEAD", MANIFESTS): Expected("pull", f"/v2/{{name}}/manifests/{IMAGE_DIGEST}", 200),
    ("PUT", MANIFESTS): Expected("push", "/v2/{name}/manifests/matrix", 201, headers=JSON, body=IMAGE),
    ("DELETE", MANIFESTS): Expected("delete", f"/v2/{{name}}/manifests/{UNKNOWN}", 404, "MANIFEST_UNKNOWN"),
    ("POST", "/v2/{name}/blobs/uploads/?"): Expected(
        "push", f"/v2/{{name}}/blobs/uploads/?digest={NEW_DIGEST}", 201, body=NEW
    ),
    ("GET", SESSIONS): Expected("push", UPLOAD, 404, "BLOB_UPLOAD_UNKNOWN"),
    ("PATCH", SESSIONS): Expected("push", UPLOAD, 404, "BLOB_UPLOAD_UNKNOWN", body=b"bytes"),
    ("PUT", SESSIONS): Expected("push", f"{UPLOAD}?digest={UNKNOWN}", 404, "BLOB_UPLOAD_UNKNOWN"),
    ("DELETE", SESSIONS): Expected("push", UPLOAD, 404, "BLOB_UPLOAD_UNKNOWN"),
    ("GET", BLOBS): Expected("pull", f"/v2/{{name}}/blobs/{HELD}", 200),
    ("HEAD", BLOBS): Expected("pull", f"/v2/{{name}}/blobs/{HELD}", 200),
    ("DELETE", BLOBS): Expected("delete", f"/v2/{{name}}/blobs/{UNKNOWN}", 404, "BLOB_UNKNOWN"),
    ("GET", "/v2/{name}/tags/list"): Expected("pull", "/v2/{name}/tags/list", 200),
    ("GET", "/v2/{name}/referrers/{reference}"): Expected("pull", f"/v2/{{name}}/referrers/{UNKNOWN}", 200),
}

OPEN: Final = {"/": 200, "/.well-known/jwks.json": 200, "/livez": 200, "/readyz": 200, "/metrics": 200}
"""Routes that answer everybody alike, whatever he sends."""

TOKENS: Final = "/service/token"


def test_every_v2_route_has_an_expectation() -> None:
    assert {(method, route.template) for route in ROUTES for method in route.methods} == set(V2)


@pytest.mark.parametrize(("method", "template"), sorted(V2), ids=lambda text: text.strip("/").replace("/", "."))
def test_v2(stage: Stage, method: str, template: str) -> None:
    wrong = []
    for project in PROJECTS:
        for caller in stage.callers.values():
            expected = V2[method, template]
            reply = ask(stage, method, expected.path.replace("{name}", f"{project}/app"), caller, expected)
            verdict = on_repository(caller, project, expected.action)
            wrong += [f"{caller.name} on {project}: {text}" for text in judged(verdict, reply, project, expected)]
    assert not wrong, f"{len(wrong)} wrong answers\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("template", sorted({template for _, template in V2}))
def test_no_other_method_does_anything(stage: Stage, template: str) -> None:
    known = {method: expected.path for (method, route), expected in V2.items() if route == template}
    path = next(iter(known.values())).replace("{name}", "closed/app")
    for method in sorted(set(METHODS) - set(known)):
        for caller in stage.callers.values():
            reply = ask(stage, method, path, caller)
            assert (reply.status, reply.code) == (405, "UNSUPPORTED"), (method, caller.name)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_ping(stage: Stage, method: str, path: str) -> None:
    for caller in stage.callers.values():
        verdict = logged_in(caller, anonymous_token=True)
        reply = ask(stage, method, path, caller)
        assert not compared(verdict, reply, "", 200), caller.name


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_catalogue(stage: Stage, method: str) -> None:
    scope = "registry:catalog:*"
    for caller in stage.callers.values():
        verdict = logged_in(caller, anonymous_token=False)
        issued_for_it = not caller.token or (caller.within is None and caller.logged_in)
        if verdict == LET_THROUGH and not issued_for_it:
            verdict = Verdict(401, "no_permission", "insufficient_scope")
        reply = ask(stage, method, "/v2/_catalog", caller)
        assert not compared(verdict, reply, scope, 200), caller.name
        if verdict == LET_THROUGH and method == "GET":
            names = {name for name in ("open", "closed", "other") if may_pull(caller, name)}
            assert set(reply.json["repositories"]) == {f"{name}/app" for name in names}, caller.name


def may_pull(caller: Caller, project: str) -> bool:
    return on_repository(caller, project, "pull") == LET_THROUGH


def test_every_other_route_has_an_expectation(stage: Stage) -> None:
    found = {route.path for route in routes(stage.site.parts) if isinstance(route, Route)}
    assert found == {*OPEN, TOKENS}


@pytest.mark.parametrize("path", sorted(OPEN))
def test_what_is_open_to_all(stage: Stage, path: str) -> None:
    stage.site.run(stage.site.parts.readiness.look())
    for caller in stage.callers.values():
        assert ask(stage, "GET", path, caller).status == OPEN[path], caller.name
        for method in set(METHODS) - {"GET", "HEAD"}:
            reply = ask(stage, method, path, caller)
            assert (reply.status, reply.code) == (405, "UNSUPPORTED"), (method, caller.name)


def test_token_endpoint(stage: Stage) -> None:
    for caller in stage.callers.values():
        reply = ask(stage, "GET", f"{TOKENS}?scope=repository:closed/app:pull", caller)
        if caller.token:  # only a name and a password prove anything here
            assert (reply.status, reply.reason) == (401, "malformed"), caller.name
        elif caller.broken:
            assert (reply.status, reply.reason) == (401, broken(caller).reason), caller.name
        else:
            assert reply.status == 200, caller.name
        assert reply.challenge == ('Basic realm="mooring"' if reply.status == 401 else ""), caller.name


def test_nobody_changed_anything_that_he_may_not(stage: Stage) -> None:
    """What was refused above was refused before it did something."""
    admin = stage.callers["admin"].headers
    for project in ("open", "closed"):
        assert stage.site.ask("GET", f"/v2/{project}/app/manifests/latest", admin).body == IMAGE
        assert stage.site.ask("GET", f"/v2/{project}/app/blobs/{HELD}", admin).body == CONFIG
    names = stage.site.ask("GET", "/v2/_catalog", admin).json["repositories"]
    assert names == ["closed/app", "open/app", "other/app"]


def ask(stage: Stage, method: str, path: str, caller: Caller, expected: Expected | None = None) -> Reply:
    headers = [*caller.headers, *(expected.headers if expected else ())]
    return stage.site.ask(method, path, headers, expected.body if expected else b"")


def judged(verdict: Verdict, reply: Reply, project: str, expected: Expected) -> list[str]:
    actions = "pull,push" if expected.action == "push" else expected.action
    return compared(verdict, reply, f"repository:{project}/app:{actions}", expected.status, expected.code)


def compared(verdict: Verdict, reply: Reply, scope: str, status: int, code: str = "") -> list[str]:
    if verdict != LET_THROUGH:
        return differences(verdict, reply, scope)
    found = (reply.status, reply.code if reply.status >= 400 else "")
    return [] if found == (status, code) else [f"{found}, not {(status, code)}"]
