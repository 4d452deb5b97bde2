"""What a caller may not know of is answered as what does not exist: names, blobs, mounts."""

import hashlib
import json
import re
from typing import Final

import pytest

from tests.access.people import MANIFEST, PASSWORD, Caller, Stage, push_blob
from tests.access.test_matrix import V2, ask
from tests.http.site import Headers, Reply, Site, basic, bearer

SECRET: Final = b"a layer that only the closed project has"
SECRET_DIGEST: Final = f"sha256:{hashlib.sha256(SECRET).hexdigest()}"
SHARED: Final = b"a layer that the open project has too"
SHARED_DIGEST: Final = f"sha256:{hashlib.sha256(SHARED).hexdigest()}"
UNKNOWN: Final = f"sha256:{'e' * 64}"
NEIGHBOUR: Final = [basic("neighbour", PASSWORD)]
STARTED: Final = "/v2/other/app/blobs/uploads/"


@pytest.fixture(scope="module", autouse=True)
def layers(stage: Stage) -> None:
    push_blob(stage.site, "closed/app", SECRET)
    push_blob(stage.site, "open/app", SHARED)


def shape(reply: Reply) -> tuple[int, list[tuple[str, str]], str]:
    """An answer without what is random in it."""

    def same(text: str) -> str:
        text = re.sub(r"uploads/[^/\s\"]+", "uploads/ID", text)
        return re.sub(r"request: [0-9a-f]+|\b[0-9a-f]{16,32}\b", "ID", text)

    return reply.status, sorted((name, same(value)) for name, value in reply.headers), same(reply.body.decode())


def renamed(reply: Reply, old: str, new: str) -> Reply:
    headers = [(name, value.replace(old, new)) for name, value in reply.headers]
    return Reply(reply.status, headers, reply.body.replace(old.encode(), new.encode()))


def has_no_right(caller: Caller) -> bool:
    no_rights = not (caller.everything or "closed" in caller.columns or caller.given.get("closed"))
    return no_rights and not caller.broken


@pytest.mark.parametrize(("method", "template"), sorted(V2), ids=lambda text: text.strip("/").replace("/", "."))
def test_a_private_project_is_answered_as_a_missing_one(stage: Stage, method: str, template: str) -> None:
    callers = [caller for caller in stage.callers.values() if has_no_right(caller)]
    assert {caller.name for caller in callers} >= {"nobody", "nobody-token", "outsider", "outsider-token", "neighbour"}
    expected = V2[method, template]
    for caller in callers:
        there, absent = (
            ask(stage, method, expected.path.replace("{name}", f"{project}/app"), caller, expected)
            for project in ("closed", "absent")
        )
        assert shape(renamed(absent, "absent", "closed")) == shape(there), caller.name


def test_a_private_project_is_asked_for_a_token_as_a_missing_one_is(stage: Stage) -> None:
    for headers in ([], NEIGHBOUR):
        found = [
            stage.site.ask("GET", f"/service/token?scope=repository:{project}/app:pull,push", headers).json["scope"]
            for project in ("closed", "absent")
        ]
        assert found == ["", ""]


def mount(site: Site, headers: Headers, digest: str, source: str | None = "closed/app") -> Reply:
    origin = "" if source is None else f"&from={source}"
    return site.ask("POST", f"{STARTED}?mount={digest}{origin}", headers)


def neighbours_token(site: Site, *beside: str) -> Headers:
    return [bearer(site.token(["repository:other/app:pull,push", *beside], NEIGHBOUR))]


def test_a_mount_from_where_one_may_not_look_tells_nothing(stage: Stage) -> None:
    """Like a digest that nobody has: 202 and a fresh upload (CVE-2024-39897 in zot)."""
    site = stage.site
    for headers in (NEIGHBOUR, neighbours_token(site), neighbours_token(site, "repository:closed/app:pull")):
        nothing = shape(mount(site, headers, UNKNOWN))
        assert nothing[0] == 202
        for digest, source in (
            (SECRET_DIGEST, "closed/app"),
            (SECRET_DIGEST, "closed/absent"),
            (SECRET_DIGEST, "absent/app"),
            (SECRET_DIGEST, "closed"),
            (SECRET_DIGEST, "../closed/app"),
            (SECRET_DIGEST, "CLOSED/APP"),
            (SECRET_DIGEST, ""),
            (SECRET_DIGEST, None),
            (UNKNOWN, None),
            (UNKNOWN, "open/app"),
        ):
            assert shape(mount(site, headers, digest, source)) == nothing, (digest, source)
        assert site.ask("HEAD", f"/v2/other/app/blobs/{SECRET_DIGEST}", headers).status == 404


def test_a_mount_from_where_one_may_look(stage: Stage) -> None:
    site = stage.site
    developer = [basic("role-D", PASSWORD)]
    for source in ("closed/app", None):
        reply = site.ask(
            "POST",
            f"/v2/open/mounted/blobs/uploads/?mount={SECRET_DIGEST}" + (f"&from={source}" if source else ""),
            developer,
        )
        assert reply.status == 201, source
        assert reply.header("docker-content-digest") == SECRET_DIGEST
        assert site.ask("GET", reply.header("location") or "", developer).body == SECRET
        assert site.ask("DELETE", reply.header("location") or "", [basic("role-A", PASSWORD)]).status == 202


@pytest.mark.parametrize("source", ["open/app", None])
def test_what_is_open_to_all_can_be_mounted_by_all(stage: Stage, source: str | None) -> None:
    """Also with a token that was issued for the target alone: docker asks for no more."""
    reply = mount(stage.site, neighbours_token(stage.site), SHARED_DIGEST, source)
    assert reply.status == 201
    assert stage.site.ask("DELETE", reply.header("location") or "", NEIGHBOUR).status == 202


@pytest.mark.parametrize("source", ["closed/app", None])
def test_a_mount_takes_no_more_than_its_token(stage: Stage, source: str | None) -> None:
    """He may pull from there himself, but this token may not."""
    site = stage.site
    developer = [basic("role-D", PASSWORD)]
    narrow = [bearer(site.token("repository:open/app:pull,push", developer))]
    origin = f"&from={source}" if source else ""
    path = f"/v2/open/app/blobs/uploads/?mount={SECRET_DIGEST}{origin}"
    assert site.ask("POST", path, narrow).status == 202
    wide = [bearer(site.token(["repository:open/app:pull,push", "repository:closed/app:pull"], developer))]
    assert site.ask("POST", path, wide).status == 201
    assert site.ask("DELETE", f"/v2/open/app/blobs/{SECRET_DIGEST}", [basic("role-A", PASSWORD)]).status == 202


def test_a_mount_wants_the_right_to_push(stage: Stage) -> None:
    path = f"/v2/closed/app/blobs/uploads/?mount={SHARED_DIGEST}&from=open/app"
    assert stage.site.ask("POST", path, [basic("role-G", PASSWORD)]).reason == "no_permission"
    assert stage.site.ask("POST", path, NEIGHBOUR).reason == "no_permission"


def test_a_blob_is_seen_only_through_a_repository_that_holds_it(stage: Stage) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        held, unknown = (
            stage.site.ask(method, f"/v2/other/app/blobs/{digest}", NEIGHBOUR) for digest in (SECRET_DIGEST, UNKNOWN)
        )
        assert held.status == 404
        assert shape(renamed(unknown, UNKNOWN, SECRET_DIGEST)) == shape(held)


def test_a_manifest_finds_no_blob_of_another_repository(stage: Stage) -> None:
    def push(digest: str) -> Reply:
        descriptor = {"mediaType": "application/octet-stream", "digest": digest, "size": len(SECRET)}
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor, "layers": []}
        headers = [*NEIGHBOUR, ("content-type", MANIFEST)]
        return stage.site.ask("PUT", "/v2/other/app/manifests/stolen", headers, json.dumps(body).encode())

    held, unknown = push(SECRET_DIGEST), push(UNKNOWN)
    assert (held.status, held.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert shape(renamed(unknown, UNKNOWN, SECRET_DIGEST)) == shape(held)


def test_whoever_claims_a_blob_must_have_its_bytes(stage: Stage) -> None:
    location = stage.site.ask("POST", STARTED, NEIGHBOUR).header("location")
    reply = stage.site.ask("PUT", f"{location}?digest={SECRET_DIGEST}", NEIGHBOUR)
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_an_upload_is_its_beginners_and_its_repositorys_alone(stage: Stage, method: str) -> None:
    """CVE-2026-32589 in Quay: an upload's id was all that was needed."""
    site = stage.site
    developer, master = [basic("role-D", PASSWORD)], [basic("role-M", PASSWORD)]
    started = site.ask("POST", "/v2/closed/app/blobs/uploads/", developer).header("location") or ""
    digest = f"?digest={UNKNOWN}" if method == "PUT" else ""
    for path, headers in (
        (started, master),
        (started, [basic("admin", "Harbour-Master-1")]),
        (started.replace("closed/app", "closed/another"), developer),
        (started.replace("closed/app", "open/app"), developer),
    ):
        reply = site.ask(method, path + digest, headers, b"bytes")
        assert (reply.status, reply.code) == (404, "BLOB_UPLOAD_UNKNOWN"), path
    assert site.ask("GET", started, developer).status == 204
