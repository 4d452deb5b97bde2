"""What is answered without a task of its own is answered as the application would."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest

from mooring.access import epoch
from mooring.database.sqlite import SQLite
from mooring.http.prepared import Answer
from mooring.registry.endpoints.quick import QuickReads
from tests.api import Api
from tests.http.site import ADMIN_PASSWORD, Site, basic, bearer
from tests.registry.wire import Line, request
from tests.server import Server

TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "manifests": []}).encode()
DIGEST = f"sha256:{sha256(INDEX).hexdigest()}"


@pytest.mark.parametrize("place", ["/xx/{}", "//a/{}", "/v3/{}", "/V2/{}", "/v2//{}", "/v2/a/../{}", "/api/v2/{}"])
def test_an_image_has_one_place(server: Server, admin: Api, place: str) -> None:
    """A proxy that guards `/v2/` guards all of it."""
    name = f"{admin.create_project(public=True)}/app"
    put = request(server, "PUT", f"/v2/{name}/manifests/latest", INDEX, f"Content-Type: {TYPE}")
    assert put.status == 201
    with Line(server) as line:
        for _ in range(2):
            line.ask("GET", f"/v2/{name}/manifests/latest")
            assert line.read().body == INDEX
        line.ask("GET", place.format(f"{name}/manifests/latest"))
        assert line.read().status in (400, 401, 404)


REPOSITORY = "library/quick"
READS = ["manifests/latest", "manifests/{digest}"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch, Site(tmp_path_factory.mktemp("quick") / "data") as made:
        patch.setattr(made.application, "tells_all", False)
        made.run(made.parts.readiness.look())
        yield made


@pytest.fixture
def headers(site: Site) -> list[tuple[str, str]]:
    scope = f"repository:{REPOSITORY}:pull,push"
    given = [bearer(site.token(scope, [basic("admin", ADMIN_PASSWORD)]))]
    assert site.ask("PUT", f"/v2/{REPOSITORY}/manifests/latest", [*given, ("content-type", TYPE)], INDEX).status == 201
    return given


@pytest.fixture
def quick(site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer | None]:
    """Asks the shorter way alone."""
    reads = QuickReads(site.parts.registry)
    looks: list[object] = []
    database = site.parts.database
    assert isinstance(database, SQLite)
    look = database._look

    def counted(*given: Any) -> Any:
        looks.append(given)
        return look(*given)

    monkeypatch.setattr(database, "_look", counted)

    def ask(method: str, path: str, headers: list[tuple[str, str]], most: int = 2) -> Answer | None:
        looks.clear()
        answering = reads(method, path, [(name.encode(), value.encode()) for name, value in headers])
        if answering is None:
            return None
        with pytest.raises(StopIteration) as ended:
            answering.send(None)
        assert len(looks) <= most
        answer: Answer | None = ended.value.value
        return answer

    return ask


def admit(site: Site, headers: list[tuple[str, str]]) -> None:
    site.run(site.parts.epoch.poll())
    assert site.ask("HEAD", f"/v2/{REPOSITORY}/manifests/latest", headers).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("place", READS)
def test_both_ways_answer_the_same(
    site: Site, headers: list[tuple[str, str]], quick: Callable[..., Answer | None], method: str, place: str
) -> None:
    path = f"/v2/{REPOSITORY}/{place.format(digest=DIGEST)}"
    admit(site, headers)
    longer = site.ask(method, path, headers)
    for most in (2, 1):  # the bytes are read once, and kept
        shorter = quick(method, path, headers, most)
        assert shorter is not None
        fields = dict(line.split(": ", 1) for line in shorter.fields.decode().splitlines())
        own = ("x-request-id", "docker-distribution-api-version")
        assert fields == {name: value for name, value in longer.headers if name not in own}
        assert (shorter.status, shorter.body) == (longer.status, longer.body)


def test_it_is_not_taken_by_who_was_not_admitted(
    site: Site, headers: list[tuple[str, str]], quick: Callable[..., Answer | None]
) -> None:
    path = f"/v2/{REPOSITORY}/manifests/latest"
    admit(site, headers)
    assert quick("GET", path, headers) is not None
    ((name, value),) = headers
    for other in ([], [(name, value + "x")], [*headers, *headers], [(name, value.swapcase())]):
        assert quick("GET", path, other) is None
    assert quick("GET", f"/v2/{REPOSITORY}x/manifests/latest", headers) is None
    for unusual in ("if-none-match", "range", "expect"):
        assert quick("GET", path, [*headers, (unusual, "x")]) is None
    for method in ("PUT", "DELETE", "POST"):
        assert quick(method, path, headers) is None


def test_an_admission_ends_with_its_epoch_and_with_its_token(
    site: Site, headers: list[tuple[str, str]], quick: Callable[..., Answer | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v2/{REPOSITORY}/manifests/latest"
    admit(site, headers)
    assert quick("GET", path, headers) is not None
    site.write(epoch.advance)
    site.run(site.parts.epoch.poll())
    assert quick("GET", path, headers) is None
    admit(site, headers)
    assert quick("GET", path, headers) is not None
    monkeypatch.setattr(site.parts.clock, "now", lambda now=site.now: now + 2 * 3600 * 1_000_000)
    assert quick("GET", path, headers) is None


def test_a_password_is_proven_each_time(site: Site, quick: Callable[..., Answer | None]) -> None:
    credentials = [basic("admin", ADMIN_PASSWORD)]
    admit(site, credentials)
    assert quick("GET", f"/v2/{REPOSITORY}/manifests/latest", credentials) is None


def test_a_tag_that_was_moved_or_deleted_is_seen_at_once(
    site: Site, headers: list[tuple[str, str]], quick: Callable[..., Answer | None]
) -> None:
    path = f"/v2/{REPOSITORY}/manifests/latest"
    admit(site, headers)
    assert quick("GET", path, headers) is not None
    other = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "manifests": [], "annotations": {"a": "b"}}).encode()
    assert site.ask("PUT", path, [*headers, ("content-type", TYPE)], other).status == 201
    moved = quick("GET", path, headers)
    assert moved is not None
    assert moved.body == other
    assert site.ask("DELETE", path, [basic("admin", ADMIN_PASSWORD)]).status == 202
    assert quick("GET", path, headers) is None
