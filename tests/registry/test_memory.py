"""Memory does not grow with the size of a blob, the patience of a reader or the number of tags."""

import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import Connection, insert, select

from mooring.database.sqlite import SQLite
from mooring.registry.tables import manifests, tags
from tests import server as servers
from tests.registry.wire import Line, request
from tests.server import Server
from tests.workers import moved, resident_bytes, wait_for, workers

MIB = 1024 * 1024
PIECE = bytes(range(256)) * (MIB // 256)
PIECES = 256
AT_ONCE = 4
GROWTH = 50 * MIB
"""What a worker may take more than before: for buffers of all connections, threads, and what malloc keeps."""

READERS = 16

pytestmark = [pytest.mark.slow, pytest.mark.replicas]


@pytest.fixture(scope="module")
def digest() -> str:
    hashed = hashlib.sha256()
    for _ in range(PIECES):
        hashed.update(PIECE)
    return f"sha256:{hashed.hexdigest()}"


class Watch:
    """How much every worker of a server took at most since this began."""

    def __init__(self, server: Server) -> None:
        self._before = {pid: resident_bytes(pid) for pid in workers(server)}
        self._most = dict(self._before)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    @property
    def growth(self) -> int:
        return max(self._most[pid] - before for pid, before in self._before.items())

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            for pid in self._most:
                self._most[pid] = max(self._most[pid], resident_bytes(pid))


@contextmanager
def bounded(server: Server, most: int = GROWTH) -> Iterator[None]:
    watch = Watch(server)
    try:
        yield
    finally:
        watch.end()
    assert watch.growth < most, f"a worker grew by {watch.growth / MIB:.0f} MiB"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Warm: what is loaded at the first requests is no growth."""
    server = servers.start(tmp_path_factory.mktemp("memory") / "data", workers=2)
    digest = f"sha256:{hashlib.sha256(PIECE).hexdigest()}"
    try:
        at_once(lambda number: push(server, f"warm-{number}", digest, 1))
        at_once(lambda number: expect(pull(server, f"warm-{number}", digest), MIB))
        yield server
        assert server.stop() == 0
    finally:
        server.kill()


def at_once(work: Callable[[int], object]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(work, range(AT_ONCE)))


def push(server: Server, name: str, digest: str, pieces: int = PIECES) -> None:
    with Line(server, patience=60) as line:
        target = f"/v2/library/{name}/blobs/uploads/?digest={digest}"
        line.ask("POST", target, line.admin, f"Content-Length: {pieces * MIB}")
        for _ in range(pieces):
            line.send(PIECE)
        assert line.read().status == 201


def pull(server: Server, name: str, digest: str, *headers: str) -> int:
    """How many bytes of the blob came."""
    with Line(server, patience=60) as line:
        line.ask("GET", f"/v2/library/{name}/blobs/{digest}", line.admin, *headers, "Connection: close")
        assert line.read_head().status in (200, 206)
        total = 0
        while count := line.read_some():
            total += count
        return total


def expect(received: int, wanted: int) -> None:
    assert received == wanted


def test_pushes_and_pulls_of_a_gibibyte(server: Server, digest: str) -> None:
    with bounded(server):
        at_once(lambda number: push(server, f"large-{number}", digest))
    with bounded(server):
        at_once(lambda number: expect(pull(server, f"large-{number}", digest), PIECES * MIB))
    with bounded(server):
        at_once(lambda number: expect(pull(server, f"large-{number}", digest, "Range: bytes=1-"), PIECES * MIB - 1))


def wait_until_nothing_is_read(server: Server) -> None:
    """Until the workers have read ahead as much as they will: less than a MiB within a hundred looks, two seconds."""
    pids = workers(server)
    seen: deque[int] = deque(maxlen=100)

    def rests() -> bool:
        seen.append(sum(moved(pid).read for pid in pids))
        return len(seen) == seen.maxlen and seen[-1] - seen[0] < MIB

    wait_for(rests, "nothing more is read")


def test_readers_that_do_not_read(server: Server, digest: str) -> None:
    """What they asked for waits on the disk, not in memory."""
    push(server, "patient", digest)
    with ExitStack() as opened, bounded(server):
        lines = [opened.enter_context(Line(server)) for _ in range(READERS)]
        for number, line in enumerate(lines):
            part = ["Range: bytes=1-"] if number % 2 else []
            line.ask("GET", f"/v2/library/patient/blobs/{digest}", line.admin, *part)
        wait_until_nothing_is_read(server)
        for line in lines:
            assert line.read_some() > 0


def test_readers_that_stop(server: Server, digest: str) -> None:
    """Who has read some MiB is sent large chunks, of which a few wait for him."""
    push(server, "stopped", digest)
    with ExitStack() as opened, bounded(server, READERS * 8 * MIB):
        lines = [opened.enter_context(Line(server)) for _ in range(READERS)]
        for line in lines:
            line.ask("GET", f"/v2/library/stopped/blobs/{digest}", line.admin)
            taken = 0
            while taken < 32 * MIB:
                taken += line.read_some()
        wait_until_nothing_is_read(server)


def test_as_many_tags_as_there_are(server: Server) -> None:
    body = json.dumps(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
    ).encode()
    media_type = "Content-Type: application/vnd.oci.image.index.v1+json"
    assert request(server, "PUT", "/v2/library/many/manifests/latest", body, media_type).status == 201
    database = SQLite(server.data / "mooring.db")
    database.write_now(_tag_often, 100_000)
    database.close()
    with bounded(server):
        seen, last = 0, ""
        while found := tags_after(server, last):
            assert len(found) <= 1000
            seen, last = seen + len(found), found[-1]
    assert seen == 100_001


def tags_after(server: Server, last: str) -> list[str]:
    answer = request(server, "GET", f"/v2/library/many/tags/list?n=1000000&last={last}")
    found: list[str] = json.loads(answer.body)["tags"]
    return found


def _tag_often(connection: Connection, number: int) -> None:
    row = connection.execute(select(manifests.c.id, manifests.c.repository_id)).one()  # the only one there is
    connection.execute(
        insert(tags),
        [
            {"repository_id": row.repository_id, "name": f"v{each:06}", "manifest_id": row.id, "pushed_at": 0}
            for each in range(number)
        ],
    )
