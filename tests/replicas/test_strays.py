"""A replica that dies in the middle of a request leaves a beginning in the bucket, which collection takes away."""

import hashlib
import http.client
import random
import time
from base64 import b64encode
from contextlib import closing
from typing import Final

import pytest

from tests.api import Answer
from tests.replicas import bucket
from tests.replicas.cluster import Cluster
from tests.server import HOST

pytestmark = pytest.mark.replicas

MIB: Final = 1024 * 1024


def test_what_a_killed_request_began_is_reaped_once_its_upload_has_ended(cluster: Cluster) -> None:
    content = random.Random(4).randbytes(24 * MIB)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    credentials = b64encode(f"{cluster.username}:{cluster.password}".encode()).decode()
    told = {"Authorization": f"Basic {credentials}", "Content-Type": "application/octet-stream"}

    def ask(method: str, path: str, body: bytes = b"", tries: int = 5) -> Answer:
        """Again after 503, as clients do: on a busy machine a replica may be out for a moment."""
        with closing(http.client.HTTPConnection(cluster.address, timeout=60)) as connection:
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            found = Answer(answer.status, answer.headers, answer.read())
        if found.status != 503 or tries == 1:
            return found
        time.sleep(1)
        return ask(method, path, body, tries - 1)

    place = ask("POST", "/v2/library/stray/blobs/uploads/").headers["Location"]
    dying = cluster.replica("dying")
    dying.start()
    try:
        request = http.client.HTTPConnection(HOST, dying.port, timeout=60)
        request.putrequest("PATCH", place)
        for name, value in {**told, "Content-Length": str(len(content))}.items():
            request.putheader(name, value)
        request.endheaders(content[: 20 * MIB])
        end = time.monotonic() + 30
        while not (stray := bucket.begun(cluster)):
            assert time.monotonic() < end, "nothing was begun"
            time.sleep(0.05)
    finally:
        dying.kill()
        request.close()

    assert "and 0 beginnings of requests" in cluster.mooring("gc").out
    assert bucket.begun(cluster) == stray, "an upload under way keeps all that may be its own"
    moved = ask("PATCH", place, content)
    assert moved.status == 202, moved
    ended = ask("PUT", f"{moved.headers['Location']}?digest={digest}")
    assert ended.status == 201, ended
    assert bucket.begun(cluster) == stray
    assert "and 1 beginnings of requests" in cluster.mooring("gc").out
    assert bucket.begun(cluster) == []
    assert ask("GET", f"/v2/library/stray/blobs/{digest}").body == content
