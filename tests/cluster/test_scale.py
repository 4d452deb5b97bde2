"""Replicas on PostgreSQL and a bucket: each request of a push and of a pull goes to another one of them."""

import base64
import contextlib
import hashlib
import itertools
import json
import random
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import s3, server
from tests.api import Answer
from tests.postgresql import PostgreSQL
from tests.replicas import command
from tests.s3 import S3
from tests.server import PASSWORD, USERNAME, Server

MIB = 1024 * 1024
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REPLICAS = 3

pytestmark = pytest.mark.replicas


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)


@dataclass
class Replicas:
    """`ask` sends every request to the next replica, as the worst of load balancers does."""

    database: PostgreSQL
    store: S3
    bucket: str
    environment: dict[str, str]
    directory: Path
    servers: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turns = itertools.count()
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """All at the same time, on an empty database and an empty bucket."""
        with ThreadPoolExecutor(REPLICAS) as threads:
            launched = [
                threads.submit(server.start, self.directory / f"replica-{n}", workers=1, environment=self.environment)
                for n in range(REPLICAS)
            ]
        self.servers = [each.result() for each in launched]

    def next(self) -> Server:
        return self.servers[next(self._turns) % len(self.servers)]

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        repository = "/".join(path.split("/")[2:4])
        bearer = {"Authorization": f"Bearer {self.token(repository)}"}
        return self.send(self.next().url + path, method, body, {**bearer, **(headers or {})})

    def token(self, repository: str) -> str:
        with self._lock:
            if repository not in self._tokens:
                basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
                scope = f"/service/token?service=mooring&scope=repository:{repository}:pull,push,delete"
                answer = self.send(self.next().url + scope, "GET", None, {"Authorization": f"Basic {basic}"})
                self._tokens[repository] = answer.json["token"]
            return self._tokens[repository]

    def send(self, url: str, method: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        request = urllib.request.Request(url, body, dict(headers), method=method)
        try:
            with _direct.open(request, timeout=60) as found:
                return Answer(found.status, found.headers, found.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def upload(self, repository: str, content: bytes, chunks: int) -> str:
        """In `chunks` requests, and one before and one after them; answers the digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        began = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert began.status == 202, began
        place, size = began.headers["Location"], -(-len(content) // chunks) if content else 1
        for start in range(0, len(content), size):
            part = content[start : start + size]
            told = {"Content-Type": "application/octet-stream"}
            if chunks > 1:
                told["Content-Range"] = f"{start}-{start + len(part) - 1}"
            patched = self.ask("PATCH", place, part, told)
            assert patched.status == 202, patched
            assert patched.headers["Range"] == f"0-{start + len(part) - 1}"
            place = patched.headers["Location"]
        finished = self.ask("PUT", f"{place}?digest={digest}")
        assert finished.status == 201, finished
        return digest

    def push(self, repository: str, tag: str, layers: list[bytes], chunks: int = 1) -> bytes:
        kind = "application/octet-stream"
        descriptors = [
            {"mediaType": kind, "digest": self.upload(repository, each, chunks), "size": len(each)}
            for each in [b"{}", *layers]
        ]
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptors[0], "layers": descriptors[1:]}
        body = json.dumps(document).encode()
        put = self.ask("PUT", f"/v2/{repository}/manifests/{tag}", body, {"Content-Type": MANIFEST})
        assert put.status == 201, put
        return body

    def pull(self, repository: str, tag: str) -> list[bytes]:
        """The layers, each compared with its digest."""
        manifest = self.ask("GET", f"/v2/{repository}/manifests/{tag}", None, {"Accept": MANIFEST})
        assert manifest.status == 200, manifest
        layers = []
        for layer in manifest.json["layers"]:
            blob = self.ask("GET", f"/v2/{repository}/blobs/{layer['digest']}")
            assert blob.status == 200, blob
            assert f"sha256:{hashlib.sha256(blob.body).hexdigest()}" == layer["digest"]
            layers.append(blob.body)
        return layers

    def mooring(self, *words: str) -> str:
        return command.run(self.environment, self.directory, *words).text


@pytest.fixture(scope="module", params=["swift", "versitygw"])
def replicas(
    request: pytest.FixtureRequest, postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    with {"swift": s3.swift, "versitygw": s3.versitygw}[request.param]() as store:
        bucket = store.create()
        environment = {
            **store.environment,
            "MOORING_DATABASE_URL": postgresql.create(),
            "MOORING_STORE": store.url(bucket),
            "MOORING_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "MOORING_ADMIN_PASSWORD": PASSWORD,
        }
        made = Replicas(postgresql, store, bucket, environment, tmp_path_factory.mktemp("replicas"))
        made.start()
        yield made
        codes = [each.stop() for each in made.servers]
        assert codes == [0] * REPLICAS, [each.tail() for each in made.servers]


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("chunks", [1, 3, 7])
@pytest.mark.parametrize("size", [0, 1, 3 * MIB, 5 * MIB, 8 * MIB, 8 * MIB + 1, 21 * MIB])
def test_an_upload_is_continued_by_another_replica(replicas: Replicas, size: int, chunks: int) -> None:
    repository, content = f"library/scale-{size}", noise(size)
    replicas.push(repository, "latest", [content], chunks)
    assert replicas.pull(repository, "latest") == [content]


def test_a_blob_sent_in_one_request_is_one_object(replicas: Replicas) -> None:
    content = noise(70_000)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    sent = replicas.ask("POST", f"/v2/library/single/blobs/uploads/?digest={digest}", content)
    assert sent.status == 201, sent
    assert replicas.ask("GET", f"/v2/library/single/blobs/{digest}").body == content


def test_a_part_of_a_blob_is_read(replicas: Replicas) -> None:
    content = noise(20 * MIB + 3)
    digest = replicas.upload("library/ranges", content, 2)
    for first, last in ((0, 0), (5, 9), (8 * MIB - 1, 8 * MIB + 1), (20 * MIB, 20 * MIB + 2)):
        part = replicas.ask("GET", f"/v2/library/ranges/blobs/{digest}", None, {"Range": f"bytes={first}-{last}"})
        assert (part.status, part.body) == (206, content[first : last + 1])


def test_a_wrong_digest_is_refused_and_the_upload_may_still_end_well(replicas: Replicas) -> None:
    content = noise(9 * MIB)
    place = replicas.ask("POST", "/v2/library/wrong/blobs/uploads/").headers["Location"]
    replicas.ask("PATCH", place, content, {"Content-Type": "application/octet-stream"})
    refused = replicas.ask("PUT", f"{place}?digest=sha256:{'0' * 64}")
    assert (refused.status, refused.json["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    ended = replicas.ask("PUT", f"{place}?digest=sha256:{hashlib.sha256(content).hexdigest()}")
    assert ended.status == 201, ended


def test_two_requests_that_write_at_once_corrupt_nothing(replicas: Replicas) -> None:
    """One of them is acknowledged; what it was told is what the upload holds."""
    repository = "library/crossed"
    place = replicas.ask("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
    first = noise(9 * MIB)
    assert replicas.ask("PATCH", place, first).status == 202
    rivals = [random.Random(seed).randbytes(17 * MIB) for seed in range(3)]
    with ThreadPoolExecutor(len(rivals)) as threads:
        answers = list(threads.map(lambda rival: replicas.ask("PATCH", place, rival), rivals))
    won = [rival for rival, answer in zip(rivals, answers, strict=True) if answer.status == 202]
    assert won, answers
    assert {answer.status for answer in answers} <= {202, 503}, answers
    whole = {hashlib.sha256(first + b"".join(order)).hexdigest() for order in itertools.permutations(won)}
    ended = [replicas.ask("PUT", f"{place}?digest=sha256:{digest}") for digest in sorted(whole)]
    assert [answer.status for answer in ended].count(201) >= 1, ended


def test_many_push_the_same_at_once(replicas: Replicas) -> None:
    layers = [noise(2 * MIB), noise(9 * MIB)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: replicas.push("library/same", "latest", layers), range(6)))
    assert replicas.pull("library/same", "latest") == layers


def test_a_cancelled_upload_is_unknown_to_every_replica(replicas: Replicas) -> None:
    """What it left in the bucket goes with collection: tests/storage/test_s3.py."""
    place = replicas.ask("POST", "/v2/library/cancelled/blobs/uploads/").headers["Location"]
    replicas.ask("PATCH", place, noise(12 * MIB))
    assert replicas.ask("DELETE", place).status == 204
    for _ in range(REPLICAS):
        assert replicas.ask("GET", place).status == 404


def test_everything_is_whole(replicas: Replicas) -> None:
    replicas.push("library/whole", "latest", [noise(10 * MIB)], 4)
    assert "No faults." in replicas.mooring("check")


def test_pulls_may_be_sent_to_the_bucket_itself(replicas: Replicas) -> None:
    content = noise(6 * MIB)
    digest = replicas.upload("library/elsewhere", content, 1)
    environment = {**replicas.environment, "MOORING_STORE_REDIRECT": "true"}
    sending = server.start(replicas.directory / "redirecting", workers=1, environment=environment)
    try:
        bearer = {"Authorization": f"Bearer {replicas.token('library/elsewhere')}"}
        answer = replicas.send(f"{sending.url}/v2/library/elsewhere/blobs/{digest}", "GET", None, bearer)
        assert answer.status == 307, answer
        assert answer.headers["Location"].startswith(replicas.store.endpoint)
        assert replicas.send(answer.headers["Location"], "GET", None, {}).body == content
    finally:
        sending.kill()


def refusal(replicas: Replicas, stray: Server, deadline: float = 60) -> dict[str, str]:
    """What a replica says when it has looked at itself and is not ready."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            answer = replicas.send(f"{stray.url}/readyz", "GET", None, {})
            if "checks" not in answer.json["failed"]:
                assert answer.status == 503, "a replica of another store is ready"
                return dict(answer.json["failed"])
        time.sleep(0.1)
    raise AssertionError(stray.tail())


@pytest.mark.parametrize("wrong", ["MOORING_STORE", "MOORING_MASTER_KEY"])
def test_a_replica_that_was_told_something_wrong_does_not_serve(replicas: Replicas, wrong: str) -> None:
    told = {
        "MOORING_STORE": replicas.store.url(replicas.store.create()),
        "MOORING_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    environment = {**replicas.environment, wrong: told[wrong]}
    stray = server.launch(replicas.directory / f"stray-{wrong}", server.free_port(), 1, environment)
    try:
        said = refusal(replicas, stray)
        if wrong == "MOORING_MASTER_KEY":
            assert "The master key is not the one that this database was made with" in said["master_key"]
        else:
            assert "has no marker: it is not this registry's" in said["store"]
    finally:
        stray.kill()


def test_an_outage_of_the_bucket_is_503_and_ends(replicas: Replicas) -> None:
    content = noise(MIB)
    digest = replicas.upload("library/outage", content, 1)
    replicas.store.pause()
    try:
        place = replicas.ask("POST", "/v2/library/outage/blobs/uploads/").headers["Location"]
        assert replicas.ask("GET", f"/v2/library/outage/blobs/{digest}").status in (503, 504)
    finally:
        replicas.store.resume()
    assert replicas.ask("PATCH", place, content).status == 202
    assert replicas.ask("GET", f"/v2/library/outage/blobs/{digest}").body == content
