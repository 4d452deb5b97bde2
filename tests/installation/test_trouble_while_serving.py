"""A disk that fills up, breaks or goes away under a server: told, survived, and over when it is over."""

import hashlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import server as servers
from tests.conftest import StartServer
from tests.disks import breakable_disk, cut_off, fill, mend, read_only, small_disk
from tests.http.site import ADMIN_PASSWORD, Site, basic
from tests.installation.conftest import Mooring
from tests.registry.wire import Answer, request
from tests.server import Server
from tests.workers import wait_for

MIB = 1024 * 1024
REPOSITORY = "/v2/library/trouble"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
ADMIN = basic("admin", ADMIN_PASSWORD)

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a disk of its own. Its log is on another one."""
    with small_disk(tmp_path_factory.mktemp("small") / "data", 32 * MIB) as data:
        server = servers.start(data, workers=1)
        try:
            yield server
        finally:
            server.kill()


def push_blob(server: Server, content: bytes) -> Answer:
    return request(server, "POST", f"{REPOSITORY}/blobs/uploads/?digest={digest_of(content)}", content)


def pull_blob(server: Server, content: bytes) -> Answer:
    return request(server, "GET", f"{REPOSITORY}/blobs/{digest_of(content)}")


def push_manifest(server: Server, tag: str, text: str = "") -> Answer:
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": {"text": text}}
    content = json.dumps(body).encode()
    return request(server, "PUT", f"{REPOSITORY}/manifests/{tag}", content, f"Content-Type: {OCI_INDEX}")


def readiness(server: Server) -> dict[str, str]:
    found: dict[str, str] = json.loads(request(server, "GET", "/readyz").body)["failed"]
    return found


def code(answer: Answer) -> str:
    return str(json.loads(answer.body)["errors"][0]["code"])


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def require_no_faults(mooring: Mooring, data: Path) -> None:
    assert mooring("check", "--data", data).out == "No faults.\n"


def test_a_disk_that_fills_up(small: Server, mooring: Mooring) -> None:
    kept, refused = secrets.token_bytes(MIB), secrets.token_bytes(MIB)
    assert push_blob(small, kept).status == 201
    assert push_manifest(small, "before").status == 201
    ballast = fill(small.data)
    answer = push_blob(small, refused)
    assert (answer.status, code(answer)) == (507, "STORAGE_FULL")
    answer = push_manifest(small, "while", "x" * MIB)
    assert (answer.status, code(answer)) == (507, "STORAGE_FULL")
    assert pull_blob(small, kept).body == kept
    assert pull_blob(small, refused).status == 404
    assert request(small, "GET", f"{REPOSITORY}/manifests/before").status == 200
    assert request(small, "GET", f"{REPOSITORY}/manifests/while").status == 404
    assert request(small, "GET", "/service/token?scope=repository:library/trouble:pull,push").status == 200
    ballast.unlink()
    assert push_blob(small, refused).status == 201
    assert push_manifest(small, "while", "x" * MIB).status == 201
    assert pull_blob(small, refused).body == refused
    assert "Traceback" not in small.tail()
    require_no_faults(mooring, small.data)


def test_a_store_that_turns_read_only(small: Server, mooring: Mooring) -> None:
    kept, late = secrets.token_bytes(MIB), secrets.token_bytes(MIB)
    assert push_blob(small, kept).status == 201
    with read_only(small.data / "objects"):
        answer = push_blob(small, late)
        assert (answer.status, code(answer)) == (503, "STORAGE_READ_ONLY")
        assert "retry-after" in answer.headers
        assert pull_blob(small, kept).body == kept
        wait_for(lambda: "read-only" in readiness(small).get("store", ""), "the store is not ready")
    wait_for(lambda: not readiness(small), "all is ready again")
    assert push_blob(small, late).status == 201
    assert "Traceback" not in small.tail()
    require_no_faults(mooring, small.data)


def test_a_store_that_goes_away_is_no_missing_blob(small: Server) -> None:
    """A client that is told 404 believes it; one that is told 503 tries again."""
    kept = secrets.token_bytes(MIB)
    assert push_blob(small, kept).status == 201
    objects, elsewhere = small.data / "objects", small.data / "elsewhere"
    objects.rename(elsewhere)
    try:
        assert pull_blob(small, kept).status == 503
        assert push_blob(small, secrets.token_bytes(100)).status == 503
        wait_for(lambda: "no marker" in readiness(small).get("store", ""), "the store is not ready")
    finally:
        elsewhere.rename(objects)
    wait_for(lambda: not readiness(small), "all is ready again")
    assert pull_blob(small, kept).body == kept
    assert push_blob(small, secrets.token_bytes(100)).status == 201
    assert "Traceback" not in small.tail()


def test_a_blob_that_is_damaged_on_the_disk_is_not_sent_short(small: Server) -> None:
    kept = secrets.token_bytes(MIB + 1)
    assert push_blob(small, kept).status == 201
    (path,) = [each for each in (small.data / "objects").glob("??/*") if each.stat().st_size == len(kept)]
    path.write_bytes(kept[: MIB // 2])
    assert pull_blob(small, kept).status == 503
    path.write_bytes(kept)
    assert pull_blob(small, kept).body == kept


def test_a_disk_that_breaks_and_takes_the_log_along(
    tmp_path: Path, start_server: StartServer, mooring: Mooring
) -> None:
    """As Linux ends a disk that had an error: no line of the log can be written, and every request is answered."""
    kept, late = secrets.token_bytes(MIB), secrets.token_bytes(MIB)
    with breakable_disk(tmp_path / "disk", 64 * MIB) as disk:
        server = start_server(disk / "data", workers=1)
        assert push_blob(server, kept).status == 201
        assert push_manifest(server, "before").status == 201
        cut_off(disk)
        for answer in (push_blob(server, late), push_manifest(server, "late")):
            assert (answer.status, "retry-after" in answer.headers) == (503, True)
        assert pull_blob(server, kept).body == kept
        assert request(server, "GET", f"{REPOSITORY}/manifests/before").status == 200
        assert pull_blob(server, late).status == 404
        wait_for(lambda: "read-only" in readiness(server).get("store", ""), "the store is not ready")
        assert server.stop() == 0
        mend(disk)
        with Site(server.data) as site:
            assert site.ask("GET", f"{REPOSITORY}/blobs/{digest_of(kept)}", [ADMIN]).body == kept
            assert site.ask("GET", f"{REPOSITORY}/manifests/before", [ADMIN]).status == 200
            assert site.ask("GET", f"{REPOSITORY}/manifests/late", [ADMIN]).status == 404
        require_no_faults(mooring, server.data)


def test_a_start_on_a_full_disk(tmp_path: Path, start_server: StartServer, mooring: Mooring) -> None:
    """It serves what there is, or says in one line why it can't."""
    kept = secrets.token_bytes(MIB)
    with small_disk(tmp_path / "data", 32 * MIB) as data:
        with Site(data) as site:
            path = f"{REPOSITORY}/blobs/uploads/?digest={digest_of(kept)}"
            assert site.ask("POST", path, [ADMIN], kept).status == 201
        ballast = fill(data, leave=200 * 1024)
        server = start_server(data, workers=1)
        assert pull_blob(server, kept).body == kept
        assert push_blob(server, secrets.token_bytes(MIB)).status == 507
        assert server.stop() == 0
        assert "Traceback" not in server.tail()
        ballast.unlink()
        ballast = fill(data)
        said = mooring("serve", "--data", data)
        assert (said.code, said.err) == (0, "") or (said.code == 2 and len(said.err.splitlines()) == 1)
        ballast.unlink()
        require_no_faults(mooring, data)
