"""Every input has an end: bodies, headers, addresses, pages, manifests, and the time that one may take."""

import hashlib
import json
import time
from collections.abc import Iterator

import pytest

from mooring.http.linger import LINGER_SECONDS
from mooring.registry.manifests import MOST_REFERENCES
from tests import server as servers
from tests.http.site import ADMIN_PASSWORD, Reply, Site, basic
from tests.registry.wire import Line, chunks, request
from tests.server import Server

MIB = 1024 * 1024
BLOB_LIMIT = 2 * MIB
BODY_TIMEOUT = 1.0
UPLOADS = "/v2/library/limits/blobs/uploads/"
EXPECT = "Expect: 100-continue"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
ADMIN = basic("admin", ADMIN_PASSWORD)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits."""
    limits = {"MOORING_BLOB_LIMIT": str(BLOB_LIMIT), "MOORING_BODY_TIMEOUT_SECONDS": str(BODY_TIMEOUT)}
    server = servers.start(tmp_path_factory.mktemp("strict") / "data", workers=1, environment=limits)
    yield server
    assert server.stop() == 0


@pytest.fixture
def line(strict: Server) -> Iterator[Line]:
    with Line(strict) as line:
        yield line


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def begin(line: Line) -> str:
    line.ask("POST", UPLOADS, line.admin, "Content-Length: 0")
    answer = line.read()
    assert answer.status == 202
    return answer.headers["location"]


def code(body: bytes) -> str:
    return str(json.loads(body)["errors"][0]["code"])


# --- time ---


def test_a_body_that_stops_is_cut_and_the_upload_goes_on(strict: Server, line: Line) -> None:
    location = begin(line)
    began = time.monotonic()
    line.ask("PATCH", location, line.admin, "Content-Length: 1000")
    line.send(b"x" * 10)
    answer = line.read()
    assert (answer.status, code(answer.body)) == (408, "REQUEST_TIMEOUT")
    assert BODY_TIMEOUT <= time.monotonic() - began < BODY_TIMEOUT + 10
    with Line(strict) as again:
        content = b"all of it"
        again.ask("PUT", f"{location}?digest={digest_of(content)}", again.admin, f"Content-Length: {len(content)}")
        again.send(content)
        assert again.read().status == 201


def test_a_body_that_never_begins_is_cut(line: Line) -> None:
    line.ask("PUT", "/v2/library/limits/manifests/latest", line.admin, "Content-Length: 100")
    assert line.read().status == 408


def test_a_slow_body_that_moves_is_waited_for(line: Line) -> None:
    content = b"slow but steady"
    line.ask("POST", f"{UPLOADS}?digest={digest_of(content)}", line.admin, f"Content-Length: {len(content)}")
    for byte in content[:5]:
        line.send(bytes([byte]))
        time.sleep(BODY_TIMEOUT / 3)
    line.send(content[5:])
    assert line.read().status == 201


def test_a_client_that_goes_away_leaves_an_upload_to_go_on_with(strict: Server, line: Line) -> None:
    location = begin(line)
    with Line(strict) as gone:
        gone.ask("PATCH", location, gone.admin, "Content-Length: 100000")
        gone.send(b"x" * 50_000)
    end = time.monotonic() + 20
    status = 503
    while status == 503 and time.monotonic() < end:  # the server may not have noticed yet
        status = request(strict, "PATCH", location, b"good").status
    assert status == 202
    line.ask("PUT", f"{location}?digest={digest_of(b'good')}", line.admin, "Content-Length: 0")
    assert line.read().status == 201


# --- before a byte is taken ---


REFUSED = {
    "nobody": ("library/limits", False, 401),
    "a project that does not exist": ("nowhere/limits", True, 404),
    "a name that is none": ("library/UPPER", True, 400),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "manifests/latest"), ("POST", "blobs/uploads/?digest=" + digest_of(b"x" * 1000))]
)
def test_no_body_is_asked_for_that_is_refused(line: Line, case: str, method: str, path: str) -> None:
    repository, known, status = REFUSED[case]
    credentials = [line.admin] if known else []
    line.ask(method, f"/v2/{repository}/{path}", *credentials, EXPECT, "Content-Length: 1000")
    assert line.read().status == status


def test_no_body_is_asked_for_that_is_too_large(line: Line) -> None:
    location = begin(line)
    line.ask("PATCH", location, line.admin, EXPECT, f"Content-Length: {BLOB_LIMIT + 1}")
    answer = line.read()
    assert (answer.status, code(answer.body)) == (413, "SIZE_INVALID")


def test_no_manifest_is_asked_for_that_is_too_large(line: Line) -> None:
    line.ask("PUT", "/v2/library/limits/manifests/latest", line.admin, EXPECT, f"Content-Length: {4 * MIB + 1}")
    assert line.read().status == 413


def test_no_form_is_asked_for_that_is_too_large(line: Line) -> None:
    line.ask("POST", "/service/token", EXPECT, f"Content-Length: {MIB}")
    assert line.read().status == 413


def test_a_body_that_is_wanted_is_asked_for(line: Line) -> None:
    content = b"wanted"
    target = f"{UPLOADS}?digest={digest_of(content)}"
    line.ask("POST", target, line.admin, EXPECT, f"Content-Length: {len(content)}")
    assert line.read().status == 100
    line.send(content)
    assert line.read().status == 201


# --- size ---


def test_a_blob_may_be_as_large_as_the_limit(line: Line) -> None:
    content = bytes(BLOB_LIMIT)
    line.ask("POST", f"{UPLOADS}?digest={digest_of(content)}", line.admin, f"Content-Length: {len(content)}")
    line.send(content)
    assert line.read().status == 201


def test_a_blob_that_does_not_say_its_size_is_cut_at_the_limit(line: Line) -> None:
    line.ask("PATCH", begin(line), line.admin, "Transfer-Encoding: chunked")
    for part in chunks(*[bytes(MIB)] * 3):
        line.send_what_is_taken(part)
    assert line.read().status == 413


@pytest.mark.parametrize("case", ["nobody", "a project that does not exist"])
def test_a_client_that_sends_on_gets_the_answer(line: Line, case: str) -> None:
    """Docker reads no answer from a connection that was reset under what it sends."""
    repository, known, status = REFUSED[case]
    credentials = [line.admin] if known else []
    line.ask("POST", f"/v2/{repository}/blobs/uploads/", *credentials, f"Content-Length: {64 * MIB}")
    for _ in range(64):
        line.send(bytes(MIB))
    assert line.read().status == status


def test_a_client_that_sends_for_ever_is_cut_off(line: Line) -> None:
    line.ask("POST", UPLOADS, f"Content-Length: {10**12}")
    assert line.read().status == 401
    began = time.monotonic()
    while line.takes(bytes(100)):
        assert time.monotonic() < began + 30
        time.sleep(0.01)
    assert time.monotonic() - began > LINGER_SECONDS / 2


def test_chunks_together_may_not_be_larger_than_the_limit(line: Line) -> None:
    location = begin(line)
    for expected in (202, 202, 413):
        line.ask("PATCH", location, line.admin, f"Content-Length: {MIB}")
        line.send_what_is_taken(bytes(MIB))
        assert line.read().status == expected


def test_a_manifest_that_does_not_say_its_size_is_cut_at_the_limit(line: Line) -> None:
    line.ask("PUT", "/v2/library/limits/manifests/latest", line.admin, "Transfer-Encoding: chunked")
    for part in chunks(*[b" " * MIB] * 5):
        line.send_what_is_taken(part)
    assert line.read().status == 413


# --- headers and addresses ---


@pytest.mark.parametrize(
    "headers",
    [[f"X-Large: {'x' * 600_000}"], [f"X-{number}: x" for number in range(1000)]],
    ids=["one that is large", "many"],
)
def test_headers_have_an_end(strict: Server, line: Line, headers: list[str]) -> None:
    line.send_what_is_taken("\r\n".join(["GET /v2/ HTTP/1.1", "Host: here", *headers, "", ""]).encode())
    assert line.read().status == 431
    assert strict.ready()


def test_a_credential_may_not_be_endless(line: Line) -> None:
    line.ask("GET", "/v2/", f"Authorization: Bearer {'x' * 100_000}")
    assert line.read().status == 401


@pytest.mark.parametrize("length", [5000, 60_000])
def test_an_address_has_an_end(line: Line, length: int) -> None:
    line.ask("GET", f"/v2/library/{'a' * length}/manifests/latest", line.admin)
    assert line.read().status in (400, 414)


@pytest.mark.parametrize("value", ["-1", "1e3", "0x10", "99999999999999999999999"])
def test_a_length_is_a_number(line: Line, value: str) -> None:
    line.ask("POST", UPLOADS, line.admin, f"Content-Length: {value}")
    assert line.read().status in (400, 413)


# --- manifests ---


def put(site: Site, body: bytes, media_type: str = OCI_MANIFEST, tag: str = "latest") -> Reply:
    return site.ask("PUT", f"/v2/library/limits/manifests/{tag}", [ADMIN, ("content-type", media_type)], body)


def index(entries: list[object], **more: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more}).encode()


def entry(number: int) -> dict[str, object]:
    return {"mediaType": OCI_MANIFEST, "digest": f"sha256:{number:064x}", "size": 1}


def test_a_manifest_may_have_four_mebibytes(site: Site) -> None:
    rest = 4 * MIB - len(index([], annotations={"x": ""}))
    body = index([], annotations={"x": "y" * rest})
    assert len(body) == 4 * MIB
    assert put(site, body, OCI_INDEX).status == 201
    assert put(site, body + b" ", OCI_INDEX).status == 413


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_manifest_may_not_be_endlessly_deep(site: Site, opening: str) -> None:
    reply = put(site, (opening * 100_000).encode())
    assert (reply.status, reply.code) == (400, "MANIFEST_INVALID")


def test_an_index_may_name_many_manifests(site: Site) -> None:
    assert put(site, index([entry(number) for number in range(MOST_REFERENCES)]), OCI_INDEX).status == 201


def test_an_index_may_not_name_more(site: Site) -> None:
    reply = put(site, index([entry(number) for number in range(MOST_REFERENCES + 1)]), OCI_INDEX)
    assert (reply.status, reply.code) == (400, "MANIFEST_INVALID")


def test_a_manifest_may_not_have_endlessly_many_tags(site: Site) -> None:
    body = index([])
    many = "&".join(f"tag=v{number}" for number in range(101))
    path = f"/v2/library/limits/manifests/{digest_of(body)}?{many}"
    assert site.ask("PUT", path, [ADMIN, ("content-type", OCI_INDEX)], body).status == 414


# --- pages and names ---


@pytest.mark.parametrize("path", ["/v2/library/limits/tags/list", "/v2/_catalog"])
@pytest.mark.parametrize(
    ("size", "status"),
    [("0", 200), ("1", 200), ("9" * 19, 200), ("-1", 400), ("many", 400), ("", 400), ("9" * 30, 400)],
)
def test_a_page_size_is_a_number_from_0_up(site: Site, path: str, size: str, status: int) -> None:
    assert put(site, index([]), OCI_INDEX).status == 201
    assert site.ask("GET", path, [ADMIN], query=f"n={size}").status == status


def test_a_page_is_never_larger_than_the_limit(site: Site) -> None:
    limit = site.settings.page_limit
    tags = [f"t{number:05}" for number in range(limit + 50)]
    body = index([], annotations={"for": "pages"})
    for start in range(0, len(tags), 100):
        query = "&".join(f"tag={tag}" for tag in tags[start : start + 100])
        path = f"/v2/library/pages/manifests/{digest_of(body)}?{query}"
        assert site.ask("PUT", path, [ADMIN, ("content-type", OCI_INDEX)], body).status == 201
    first = site.ask("GET", "/v2/library/pages/tags/list", [ADMIN], query=f"n={10**9}")
    assert first.json["tags"] == tags[:limit]
    following = (first.header("link") or "").partition("<")[2].partition(">")[0]
    assert site.ask("GET", following, [ADMIN]).json["tags"] == tags[limit:]


@pytest.mark.parametrize(("length", "status"), [(128, 201), (129, 400)])
def test_a_tag_may_have_128_characters(site: Site, length: int, status: int) -> None:
    assert put(site, index([]), OCI_INDEX, "t" * length).status == status


@pytest.mark.parametrize(("length", "status"), [(255, 201), (256, 400)])
def test_a_name_may_have_255_characters(site: Site, length: int, status: int) -> None:
    name = "library/" + "n" * (length - len("library/"))
    reply = site.ask("PUT", f"/v2/{name}/manifests/latest", [ADMIN, ("content-type", OCI_INDEX)], index([]))
    assert reply.status == status
