"""A disk that fills up or turns read-only under a server: told, survived, and over when it is over."""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import server as servers
from tests.disks import fill, read_only, small_disk
from tests.installation.conftest import Mooring
from tests.registry.wire import Answer, request
from tests.server import Server
from tests.workers import wait_for

MIB = 1024 * 1024
REPOSITORY = "/v2/library/trouble"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

pytestmark = pytest.mark.faults


@contextmanager
def serving(data: Path) -> Iterator[Server]:
    server = servers.start(data)
    try:
        yield server
        assert server.stop() == 0
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


def test_a_disk_that_fills_up(tmp_path: Path, mooring: Mooring) -> None:
    kept, refused = secrets.token_bytes(MIB), secrets.token_bytes(MIB)
    with small_disk(tmp_path / "data", 32 * MIB) as data:
        with serving(data) as server:
            assert push_blob(server, kept).status == 201
            assert push_manifest(server, "before").status == 201
            ballast = fill(data)
            answer = push_blob(server, refused)
            assert (answer.status, code(answer)) == (507, "STORAGE_FULL")
            answer = push_manifest(server, "while", "x" * MIB)
            assert (answer.status, code(answer)) == (507, "STORAGE_FULL")
            assert pull_blob(server, kept).body == kept
            assert pull_blob(server, refused).status == 404
            assert request(server, "GET", f"{REPOSITORY}/manifests/before").status == 200
            assert request(server, "GET", f"{REPOSITORY}/manifests/while").status == 404
            assert request(server, "GET", "/service/token?scope=repository:library/trouble:pull,push").status == 200
            ballast.unlink()
            assert push_blob(server, refused).status == 201
            assert push_manifest(server, "while", "x" * MIB).status == 201
            assert "Traceback" not in server.tail()
        assert mooring("check", "--data", data).out == "No faults.\n"


def test_a_start_on_a_full_disk(tmp_path: Path, mooring: Mooring) -> None:
    """It serves what there is, or says in one line why it can't."""
    kept = secrets.token_bytes(MIB)
    with small_disk(tmp_path / "data", 32 * MIB) as data:
        with serving(data) as server:
            assert push_blob(server, kept).status == 201
        ballast = fill(data, leave=200 * 1024)
        with serving(data) as server:
            assert pull_blob(server, kept).body == kept
            assert push_blob(server, secrets.token_bytes(MIB)).status == 507
            assert "Traceback" not in server.tail()
        ballast.unlink()
        ballast = fill(data)
        said = mooring("serve", "--data", data)
        assert (said.code, said.err) == (0, "") or (said.code == 2 and len(said.err.splitlines()) == 1)
        ballast.unlink()
        assert mooring("check", "--data", data).out == "No faults.\n"


def test_a_store_that_turns_read_only(tmp_path: Path, mooring: Mooring) -> None:
    kept, late = secrets.token_bytes(MIB), secrets.token_bytes(MIB)
    with serving(tmp_path / "data") as server:
        assert push_blob(server, kept).status == 201
        with read_only(server.data / "objects"):
            answer = push_blob(server, late)
            assert (answer.status, code(answer)) == (503, "STORAGE_READ_ONLY")
            assert "retry-after" in answer.headers
            assert pull_blob(server, kept).body == kept
            wait_for(lambda: "read-only" in readiness(server).get("store", ""), "the store is not ready")
        wait_for(lambda: not readiness(server), "all is ready again")
        assert push_blob(server, late).status == 201
        assert "Traceback" not in server.tail()
    assert mooring("check", "--data", tmp_path / "data").out == "No faults.\n"


def test_a_store_that_goes_away_is_no_missing_blob(tmp_path: Path) -> None:
    """A client that is told 404 believes it; one that is told 503 tries again."""
    kept = secrets.token_bytes(MIB)
    with serving(tmp_path / "data") as server:
        assert push_blob(server, kept).status == 201
        objects = server.data / "objects"
        objects.rename(server.data / "elsewhere")
        assert pull_blob(server, kept).status == 503
        assert push_blob(server, secrets.token_bytes(100)).status == 503
        wait_for(lambda: "no marker" in readiness(server).get("store", ""), "the store is not ready")
        (server.data / "elsewhere").rename(objects)
        assert pull_blob(server, kept).body == kept
        wait_for(lambda: not readiness(server), "all is ready again")
        assert "Traceback" not in server.tail()


def test_a_blob_that_is_damaged_on_the_disk_is_not_sent_short(tmp_path: Path, mooring: Mooring) -> None:
    kept = secrets.token_bytes(MIB)
    with serving(tmp_path / "data") as server:
        assert push_blob(server, kept).status == 201
        (path,) = [each for each in (server.data / "objects").glob("??/*") if each.stat().st_size == MIB]
        path.write_bytes(kept[: MIB // 2])
        assert pull_blob(server, kept).status == 503
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    said = mooring("check", "--data", tmp_path / "data")
    assert said.code == 1
    assert f"wrong_blob {digest_of(kept)}" in said.out
    assert said.out.endswith("1 faults.\n")
