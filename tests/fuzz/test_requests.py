"""Whole requests to `/v2` and the token endpoint, of any bytes that a server hands on: no 500, each error explained."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.access.people import push_image
from tests.fuzz.bounds import bounded
from tests.fuzz.test_parsers import DIGESTS, MANIFESTS, TEXT
from tests.http.site import ADMIN_PASSWORD, Reply, Site, basic

ADMIN: Final = (b"authorization", basic("admin", ADMIN_PASSWORD)[1].encode())
METHODS: Final = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "", "get"])
WORDS: Final = st.sampled_from(["manifests", "blobs", "uploads", "tags", "list", "referrers", "_catalog", "v2", "app"])
NAMES: Final = st.sampled_from(["library/app", "library", "library/none", "none/app", "library/uploads/blobs"]) | TEXT
REFERENCES: Final = (
    st.sampled_from(["latest", f"sha256:{hashlib.sha256(b'{}').hexdigest()}", "..", "."]) | DIGESTS | TEXT
)
PATHS: Final = st.one_of(
    st.builds("/v2/{}/manifests/{}".format, NAMES, REFERENCES),
    st.builds("/v2/{}/blobs/{}".format, NAMES, REFERENCES),
    st.builds("/v2/{}/blobs/uploads/{}".format, NAMES, REFERENCES),
    st.builds("/v2/{}/referrers/{}".format, NAMES, REFERENCES),
    st.builds("/v2/{}/tags/list".format, NAMES),
    st.lists(WORDS | TEXT, max_size=6).map(lambda parts: "/v2/" + "/".join(parts)),
    st.sampled_from(["/v2/", "/v2", "/v2/_catalog", "/service/token", "/", "/.well-known/jwks.json"]),
)
KEYS: Final = st.sampled_from(
    ["digest", "mount", "from", "n", "last", "tag", "artifactType", "digest-algorithm", "scope", "service", "ns"]
)
QUERIES: Final = st.binary(max_size=100) | st.lists(
    st.tuples(KEYS, REFERENCES | NAMES | st.integers().map(str)), max_size=5
).map(lambda pairs: "&".join(f"{key}={value}" for key, value in pairs).encode("utf-8", "surrogatepass"))
VALUES: Final = st.binary(max_size=80).map(lambda raw: bytes(byte for byte in raw if byte not in b"\r\n"))
HEADERS: Final = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"host",
                b"authorization",
                b"content-type",
                b"content-length",
                b"content-range",
                b"range",
                b"if-none-match",
                b"if-range",
                b"accept",
                b"x-request-id",
                b"x-forwarded-proto",
                b"x-forwarded-host",
                b"transfer-encoding",
                b"expect",
            ]
        ),
        VALUES
        | st.sampled_from([b"bytes=0-1", b"0-1", b"bytes=5-", b"https", b"[", b"a:b:c", b"application/json", b"-1"])
        | st.builds(lambda text: b"Basic " + base64.b64encode(text.encode("utf-8", "surrogatepass")), TEXT)
        | VALUES.map(lambda raw: b"Bearer " + raw),
    ),
    max_size=5,
)
BODIES: Final = st.binary(max_size=200) | MANIFESTS.map(
    lambda document: repr(document).replace("'", '"').encode("utf-8", "surrogatepass")
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch, Site(directory / "data") as made:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
        patch.setattr("mooring.identity.throttle.delay", lambda _failures: 0.0)
        push_image(made, "library/app")
        yield made


def judged(reply: Reply) -> None:
    assert 200 <= reply.status < 500, (reply.status, reply.body[:300])
    assert reply.header("x-request-id")
    if reply.status >= 400:
        (error,) = reply.json["errors"]
        assert error["code"].isupper()
        assert error["message"]
        assert "Traceback" not in error["message"]


@bounded(1500)
@given(METHODS, PATHS, QUERIES, HEADERS, BODIES, st.booleans())
@example("GET", "/v2/", b"\xff", [(b"host", b"[")], b"", False)
@example("GET", "/v2/library/app/manifests/latest", b"", [(b"if-none-match", b"\xff")], b"", True)
@example("PUT", "/v2/library/app/manifests/x", b"tag=%00&tag=\xff", [], b"{}", True)
@example("GET", "/v2/library/app/tags/list", b"n=%D9%A3", [], b"", True)
@example("GET", "/v2/library/app/tags/list", b"n=1&last=%00%ED%A0%80", [], b"", True)
@example("GET", "/v2/_catalog", b"n=999999999999999999999&last=" + b"%C3%A9" * 3000, [], b"", True)
def test_any_request(
    site: Site,
    method: str,
    path: str,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    as_admin: bool,
) -> None:
    sent = [*headers, *([ADMIN] if as_admin else [])]
    judged(site.run(site.asking_raw(method, path, query, sent, body)))


@bounded(150)
@given(
    st.sampled_from(["POST", "PATCH", "PUT"]),
    st.lists(st.tuples(KEYS, REFERENCES), max_size=3),
    HEADERS,
    st.binary(max_size=100),
)
def test_any_upload(
    site: Site, method: str, pairs: list[tuple[str, str]], headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """To one upload after another: what is sent to it never breaks it for the one who began it."""
    begun = site.ask("POST", "/v2/library/app/blobs/uploads/", [basic("admin", ADMIN_PASSWORD)])
    location = begun.header("location") or ""
    query = "&".join(f"{key}={value}" for key, value in pairs).encode("utf-8", "surrogatepass")
    sent = [ADMIN, *((name, value) for name, value in headers if name != b"authorization")]
    path = location if method != "POST" else "/v2/library/app/blobs/uploads/"
    judged(site.run(site.asking_raw(method, path, query, sent, body)))
    after = site.ask("GET", location, [basic("admin", ADMIN_PASSWORD)])
    assert after.status in {204, 404}
    assert site.ask("DELETE", location, [basic("admin", ADMIN_PASSWORD)]).status == (
        204 if after.status == 204 else 404
    )


@bounded(400)
@given(st.binary(max_size=300) | QUERIES, HEADERS)
@example(b"grant_type=password&username=\xff&password=%00", [])
@example(b"grant_type=refresh_token&refresh_token=%ED%A0%80", [])
def test_any_form(site: Site, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    judged(site.run(site.asking_raw("POST", "/service/token", b"", headers, body)))


@bounded(60)
@given(st.text(st.characters(codec=None), max_size=200), st.text(st.characters(codec=None), max_size=200))
@example("robot$", "x")
@example("admin", "\0")
@example("\ud800", "\udfff")
def test_any_credentials(site: Site, name: str, password: str) -> None:
    header = b"Basic " + base64.b64encode(f"{name}:{password}".encode("utf-8", "surrogatepass"))
    for path in ("/v2/", "/service/token"):
        reply = site.run(site.asking_raw("GET", path, b"", [(b"authorization", header)]))
        judged(reply)
        assert reply.status in {401, 429}
