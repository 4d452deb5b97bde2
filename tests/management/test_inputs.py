"""Whatever is sent, the answer is no 500, and an error always has the one shape."""

import json

import pytest

from tests.http.site import Reply, Site
from tests.management.desk import PREFIX, chief, make_project

DEEP = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
ODD_BODIES = {
    "nothing": b"",
    "no json": b"{",
    "not utf-8": b'{"project_name": "\xff"}',
    "nul": b'{"project_name": "a\\u0000b"}',
    "half a surrogate": b'{"project_name": "\\ud800"}',
    "surrogate as a name": b'{"\\ud800": 1}',
    "a huge number": b'{"project_name": "a", "storage_limit": 1' + b"0" * 5000 + b"}",
    "beyond 64 bits": b'{"project_name": "a", "storage_limit": 9223372036854775808}',
    "infinity": b'{"project_name": "a", "storage_limit": 1e999}',
    "not a number": b'{"project_name": "a", "storage_limit": NaN}',
    "deep": DEEP,
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "utf-16": '{"project_name": "A"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"project_name": "A"}',
}


def sent(site: Site, method: str, path: str, body: bytes, kind: str = "application/json") -> Reply:
    return site.ask(method, path, [*chief(site).headers, ("content-type", kind)], body)


@pytest.mark.parametrize("name", ODD_BODIES)
@pytest.mark.parametrize("path", ["/projects", "/users", "/robots", "/projects/library/members"])
def test_odd_bodies(site: Site, name: str, path: str) -> None:
    reply = sent(site, "POST", PREFIX + path, ODD_BODIES[name])
    assert reply.status == 400, reply
    assert isinstance(reply.error["message"], str)


def test_a_body_that_is_too_large(site: Site) -> None:
    reply = sent(site, "POST", f"{PREFIX}/projects", b" " * (600 * 1024))
    assert (reply.status, reply.code) == (413, "SIZE_INVALID")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
def test_a_body_that_is_said_to_be_something_else(site: Site, kind: str) -> None:
    assert sent(site, "POST", f"{PREFIX}/projects", b'{"project_name": "a"}', kind).status == 415


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 404),
        ("/", 404),
        ("/none", 404),
        ("/ping/", 200),
        ("/ping/more", 404),
        ("//ping", 404),
        ("/projects/%00", 400),
        ("/projects/%ff", 400),
        ("/projects/%2500", 400),
        ("/projects/%C3%A4", 404),
        ("/projects/..", 404),
        ("/projects/%2e%2e%2fusers", 404),
        ("/projects/" + "9" * 30, 404),
        ("/projects/-1", 404),
        ("/projects/" + "x" * 300, 400),
        ("/projects/" + "x" * 5000, 414),
        ("/users/0", 400),
        ("/users/-1", 400),
        ("/users/x", 400),
        ("/users/1.5", 400),
        ("/users/9223372036854775807", 404),
        ("/users/9223372036854775808", 400),
        ("/robots/9223372036854775808", 400),
        ("/projects/library/members/0", 400),
        ("/projects/library/repositories/%252500", 400),
        ("/projects/library/repositories/%2525ff", 400),
        ("/projects/library/repositories/A", 400),
        ("/projects/library/repositories/app/artifacts/sha256:x", 404),
    ],
)
def test_odd_paths(site: Site, path: str, status: int) -> None:
    reply = site.ask("GET", PREFIX + path, chief(site).headers)
    assert reply.status == status, reply
    assert reply.header("x-request-id")
    if status >= 400:
        assert json.loads(reply.body)["errors"][0]["code"]


def test_odd_references(site: Site) -> None:
    from tests.management.pushing import push_image

    repository = f"{make_project(site)}/app"
    push_image(chief(site).send, repository, "v1")
    path = f"{PREFIX}/projects/{repository.replace('/', '/repositories/')}/artifacts"
    for reference, status in (
        ("sha256:x", 400),
        ("-x", 400),
        ("x" * 200, 400),
        ("sha512:" + "0" * 128, 404),
        ("v2", 404),
    ):
        assert site.ask("GET", f"{path}/{reference}", chief(site).headers).status == status, reference


@pytest.mark.parametrize(
    "query", [b"q=\xff", b"page=%D9%A1", b"%", b"=&=&", b"name=" + b"%F0%9F%98%80" * 50, b"name=%ED%A0%80"]
)
def test_odd_queries(site: Site, query: bytes) -> None:
    headers = [(name.encode(), value.encode()) for name, value in chief(site).headers]
    reply = site.run(site.asking_raw("GET", f"{PREFIX}/projects", query, headers))
    assert reply.status in {200, 400}, reply


@pytest.mark.parametrize("value", [b"\xff", b"maybe", b"", b"true\xe4"])
def test_odd_headers(site: Site, value: bytes) -> None:
    headers = [(name.encode(), text.encode()) for name, text in chief(site).headers]
    reply = site.run(
        site.asking_raw("GET", f"{PREFIX}/projects/library", b"", [*headers, (b"x-is-resource-name", value)])
    )
    assert reply.status == 400


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Basic !", "malformed"),
        ("Basic YQ==", "malformed"),
        ("Digest x", "malformed"),
        ("", "malformed"),
        ("Bearer x.y.z", "malformed"),
        ("Basic " + "YQ" * 20_000, "malformed"),
        ("Basic OmI=", "bad_credentials"),
        ("Basic AGE6AGI=", "malformed"),
    ],
)
def test_odd_credentials(site: Site, header: str, reason: str) -> None:
    reply = site.ask("GET", f"{PREFIX}/users/current", [("authorization", header)])
    assert (reply.status, reply.reason) == (401, reason)
    assert reply.challenge == 'Basic realm="mooring"'


def test_other_methods(site: Site) -> None:
    for method in ("DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        reply = site.ask(method, f"{PREFIX}/ping", chief(site).headers)
        assert (reply.status, reply.code) == (405, "UNSUPPORTED"), method
