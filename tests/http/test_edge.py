"""What every answer has: an id, and an error body that programs can read."""

import re
from collections.abc import Iterator

import pytest

from tests.http.site import ADMIN_PASSWORD, Site, basic

ADMIN = [basic("admin", ADMIN_PASSWORD)]
PATHS = ["/", "/nothing", "/v2/", "/v2/none/none/tags/list", "/livez", "/service/token", "/api/v2.0/ping", "/api/none"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("edge") / "data") as made:
        yield made


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_an_id(site: Site, path: str) -> None:
    first, second = (site.ask("GET", path).header("x-request-id") or "" for _ in range(2))
    assert re.fullmatch("[0-9a-f]{16,32}", first)
    assert first != second
    assert site.ask("GET", path, [("x-request-id", "from-a-proxy_1.2")]).header("x-request-id") == "from-a-proxy_1.2"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "line\tbreak", '"><script>', "\u00e9" * 10])
def test_an_id_that_could_do_harm_is_replaced(site: Site, given: str) -> None:
    assert site.ask("GET", "/livez", [("x-request-id", given)]).header("x-request-id") != given


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/v2/nothing", 404, "NOT_FOUND"),
        ("GET", "/v1/_ping", 404, "NOT_FOUND"),
        ("PUT", "/service/token", 405, "UNSUPPORTED"),
        ("POST", "/livez", 405, "UNSUPPORTED"),
        ("POST", "/v2/", 405, "UNSUPPORTED"),
        ("PATCH", "/v2/library/app/tags/list", 405, "UNSUPPORTED"),
        ("GET", "/v2/UPPER/case/tags/list", 400, "NAME_INVALID"),
    ],
)
def test_every_error_is_told_in_one_shape(site: Site, method: str, path: str, status: int, code: str) -> None:
    for headers in ([], ADMIN):
        reply = site.ask(method, path, headers)
        assert (reply.status, reply.code) == (status, code)
        assert reply.header("content-type") == "application/json"
        assert reply.error["message"].endswith((".", ")"))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/service/token", "GET, HEAD, POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("POST", "/v2/", "GET, HEAD"),
        ("POST", "/v2/_catalog", "GET, HEAD"),
        ("PATCH", "/v2/library/app/manifests/latest", "DELETE, GET, HEAD, PUT"),
        ("PATCH", "/api/v2.0/users", "GET, POST"),
        ("PATCH", "/api/v2.0/projects/library", "DELETE, GET, PUT"),
        ("PATCH", "/api/v2.0/projects/library/repositories/app", "DELETE, GET, PUT"),
    ],
)
def test_an_unknown_method_is_told_which_there_are(site: Site, method: str, path: str, allowed: str) -> None:
    reply = site.ask(method, path, ADMIN)
    assert (reply.status, reply.header("allow")) == (405, allowed)


def test_every_answer_of_the_registry_names_the_protocol(site: Site) -> None:
    """Docker takes an answer without it for that of something else."""
    for headers in ([], ADMIN):
        for path in ("/v2/", "/v2/library/none/manifests/none"):
            assert site.ask("GET", path, headers).header("docker-distribution-api-version") == "registry/2.0"


def test_the_realm_follows_the_request(site: Site) -> None:
    for headers, realm in (
        ([], "http://registry.test/service/token"),
        ([("x-forwarded-proto", "https")], "https://registry.test/service/token"),
        ([("x-forwarded-proto", "https, http")], "https://registry.test/service/token"),
        ([("x-forwarded-proto", "gopher")], "http://registry.test/service/token"),
        ([("x-forwarded-host", "outside.test:8443")], "http://outside.test:8443/service/token"),
        ([("x-forwarded-host", 'evil"\r\nx: y')], "http://evilx:y/service/token"),
    ):
        assert f'realm="{realm}"' in site.ask("GET", "/v2/", headers).challenge


def test_an_external_url_is_the_realm_whatever_the_request_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("external")
    with Site(directory / "data", external_url="https://registry.example") as site:
        challenge = site.ask("GET", "/v2/", [("x-forwarded-host", "elsewhere.test")]).challenge
        assert 'realm="https://registry.example/service/token"' in challenge
