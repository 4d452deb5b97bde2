"""Replicas that a test starts, changes and stops one by one, on a database and a directory of its own."""

import base64
import hashlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import psycopg

from tests.management.pushing import MANIFEST, push_image
from tests.postgresql import PostgreSQL
from tests.replicas import command
from tests.replicas.cluster import new_key
from tests.replicas.command import Said
from tests.replicas.replica import Replica
from tests.server import HOST, PASSWORD, USERNAME, free_port

REFUSALS: Final = (401, 403, 404)
PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.1
"""Between two images: what is shown is that none is refused, not how many go through."""

_direct: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Crew:
    directory: Path
    environment: dict[str, str]
    replicas: list[Replica] = field(default_factory=list)

    def launch(self, name: str, *, module: str = "mooring", **changes: str) -> Replica:
        """Start a replica and do not wait for it."""
        replica = Replica(name, free_port(), {**self.environment, **changes}, self.directory, module)
        self.replicas.append(replica)
        replica.launch()
        return replica

    def start(self, *names: str, module: str = "mooring", **changes: str) -> list[Replica]:
        launched = [self.launch(name, module=module, **changes) for name in names]
        for replica in launched:
            replica.wait_until_ready()
        return launched

    def command(self, *words: str, module: str = "mooring", **changes: str) -> Said:
        return command.run({**self.environment, **changes}, self.directory, *words, module=module)

    def execute(self, statement: str) -> int:
        with psycopg.connect(self.environment["MOORING_DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(statement).rowcount  # type: ignore[call-overload,no-any-return,unused-ignore]


@contextmanager
def gathered(directory: Path, database: PostgreSQL) -> Iterator[Crew]:
    (directory / "store").mkdir()
    environment = {
        "MOORING_DATABASE_URL": database.create(),
        "MOORING_STORE": f"file://{directory / 'store'}",
        "MOORING_MASTER_KEY": new_key(),
        "MOORING_ADMIN_PASSWORD": PASSWORD,
    }
    crew = Crew(directory, environment)
    try:
        yield crew
    finally:
        for replica in crew.replicas:
            replica.kill()


def failed(replica: Replica) -> dict[str, str]:
    """Its failed checks, with their reasons; none where it is ready. It has to answer."""
    found = replica.readiness()
    assert found is not None, f"{replica.name} does not answer"
    return _failed_of(found)


def _failed_of(readiness: Mapping[str, object]) -> dict[str, str]:
    checks = readiness["failed"]
    assert isinstance(checks, dict)
    assert readiness["ready"] is not bool(checks), readiness
    return checks


def wait_for_failure(replica: Replica, check: str, seconds: float = PATIENCE_SECONDS) -> str:
    """Until this check fails; the reason."""
    end = time.monotonic() + seconds
    while check not in (found := _failed_of(answer) if (answer := replica.readiness()) else {}):
        log = replica.log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < end, f"{check} of {replica.name} has not failed after {seconds} s: {found}\n{log}"
        time.sleep(0.05)
    return found[check]


def ask(port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> "Answer":
    """One request, as the administrator."""
    credentials = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    given = {"Authorization": f"Basic {credentials}", **(headers or {})}
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", body or None, given, method=method)
    try:
        with _direct.open(request, timeout=30) as found:
            return Answer(found.status, dict(found.headers), found.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def push(port: int, tag: str, repository: str = "library/app") -> None:
    def send(method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        return ask(port, method, path, headers, body).status

    push_image(send, repository, tag, seed=tag)


def pull(port: int, tag: str, repository: str = "library/app") -> None:
    """The manifest and all its blobs, each compared with its digest."""
    manifest = ask(port, "GET", f"/v2/{repository}/manifests/{tag}", {"Accept": MANIFEST})
    assert manifest.status == 200, manifest
    document = json.loads(manifest.body)
    for blob in [document["config"], *document["layers"]]:
        found = ask(port, "GET", f"/v2/{repository}/blobs/{blob['digest']}")
        assert found.status == 200, found
        assert f"sha256:{hashlib.sha256(found.body).hexdigest()}" == blob["digest"]


class Pusher(threading.Thread):
    """Pushes image after image, each request to the next replica that answers, as behind a load balancer.

    503 and a connection that can't be made are tried again at another one, as clients and balancers do.
    """

    def __init__(self, crew: Crew) -> None:
        super().__init__(daemon=True)
        self.pushed: list[str] = []
        self.refused: list[str] = []
        self._crew = crew
        self._turns = count()
        self._asked_to_stop = threading.Event()

    def __enter__(self) -> "Pusher":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._asked_to_stop.set()
        self.join(2 * PATIENCE_SECONDS)
        assert kind or not self.is_alive(), "the last push does not end, and is not counted"

    def run(self) -> None:
        for number in count():
            if self._asked_to_stop.wait(PAUSE_SECONDS):
                return
            try:
                push_image(self._send, "library/load", f"v{number}", seed=f"load {number}")
                self.pushed.append(f"v{number}")
            except AssertionError as error:
                self.refused.append(f"v{number}: {error}")

    def more(self, images: int = 3) -> None:
        """Wait until so many more were pushed."""
        goal, end = len(self.pushed) + images, time.monotonic() + PATIENCE_SECONDS
        while len(self.pushed) < goal:
            assert time.monotonic() < end, f"no pushes go through; refused: {self.refused}"
            time.sleep(0.05)

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            replicas = [replica for replica in self._crew.replicas if replica.process is not None]
            replica = replicas[next(self._turns) % len(replicas)]
            try:
                answer = ask(replica.port, method, path, headers, body)
            except OSError:
                continue
            if answer.status == 503:
                continue
            if answer.status in REFUSALS or answer.status >= 500:
                self.refused.append(f"{replica.name} {method} {path}: {answer}")
            return answer.status
        return 503
