"""What each request of a pull and a push costs in operations, which no busy machine can blur.

One that got dearer is found here, before a benchmark on a quiet machine would show it. One that got cheaper: lower it.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

import pytest
from anyio import to_thread
from sqlalchemy import event

from mooring.database.sqlite import SQLite
from tests.http.site import ADMIN_PASSWORD, Reply, Site, basic, bearer

P = ParamSpec("P")
T = TypeVar("T")

REPOSITORY: Final = "library/counted"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = b'{"architecture":"amd64","os":"linux"}'


class Cost(NamedTuple):
    looks: int = 0
    """Rows looked up on the event loop itself."""
    statements: int = 0
    """Through SQLAlchemy, with BEGIN, COMMIT and savepoints."""
    commits: int = 0
    """Each of them synced."""
    hops: int = 0
    """Changes to a thread of a pool, and back."""
    syncs: int = 0
    """Of files and directories of the store."""


PULL: Final = {
    "GET manifest by tag": Cost(looks=1),
    "GET manifest by digest": Cost(looks=1),
    "HEAD manifest": Cost(looks=1),
    "HEAD blob": Cost(looks=1),
    "GET blob": Cost(looks=1),
    "HEAD blob that is not there": Cost(looks=1),
}
PUSH: Final = {
    "POST upload": Cost(statements=4, commits=1),
    "PATCH upload": Cost(looks=2, statements=4, commits=1, hops=2, syncs=2),
    "PUT upload": Cost(looks=2, statements=7, commits=1),
    "PUT manifest": Cost(statements=11, commits=1),
    "POST upload, whole": Cost(statements=12, commits=2, hops=2, syncs=2),
}


class Counting:
    """Counts what happens while it looks, and changes nothing of it."""

    def __init__(self, site: Site, patch: pytest.MonkeyPatch) -> None:
        self.counts: Counter[str] = Counter()
        database = site.parts.database
        assert isinstance(database, SQLite)
        for sync in ("fsync", "fdatasync"):
            patch.setattr(os, sync, self._counted("syncs", getattr(os, sync)))
        patch.setattr(database, "_look", self._counted("looks", database._look))
        patch.setattr(ThreadPoolExecutor, "submit", self._counted("hops", ThreadPoolExecutor.submit))
        patch.setattr(to_thread, "run_sync", self._counted("hops", to_thread.run_sync))
        event.listen(database.engine, "before_cursor_execute", self._counted("statements", _nothing))
        event.listen(database.engine, "commit", self._counted("commits", _nothing))

    def _counted(self, name: str, call: Callable[P, T]) -> Callable[P, T]:
        def counted(*args: P.args, **kwargs: P.kwargs) -> T:
            self.counts[name] += 1
            return call(*args, **kwargs)

        return counted

    def of(self, ask: Callable[[], Reply]) -> tuple[Reply, Cost]:
        self.counts.clear()
        reply = ask()
        return reply, Cost(**self.counts)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("operations") / "data") as made:
        yield made


@pytest.fixture
def costs(site: Site, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Cost]:
    """Of each request of a push and a pull, once the caller and the repository are known."""
    scope = f"repository:{REPOSITORY}:pull,push"
    headers = [bearer(site.token(scope, [basic("admin", ADMIN_PASSWORD)]))]
    found: dict[str, Cost] = {}
    counting: Counting | None = None

    def ask(name: str, status: int, method: str, path: str, body: bytes = b"", kind: str = "") -> Reply:
        site.run(site.parts.epoch.poll())
        further = [*headers, ("content-type", kind)] if kind else headers

        def asked() -> Reply:
            return site.ask(method, f"/v2/{REPOSITORY}/{path}", further, body)

        reply, cost = counting.of(asked) if counting else (asked(), Cost())
        assert reply.status == status, (name, reply)
        found[name] = cost
        return reply

    for turn in range(2):
        # The first turn makes the repository, and fills what is kept of the caller.
        if turn:
            counting = Counting(site, monkeypatch)
        layer = os.urandom(4096)
        digest = _digest(layer)
        ask("HEAD blob that is not there", 404, "HEAD", f"blobs/{digest}")
        ask("POST upload, whole", 201, "POST", f"blobs/uploads/?digest={_digest(CONFIG)}", CONFIG)
        place = (ask("POST upload", 202, "POST", "blobs/uploads/").header("location") or "").split(f"{REPOSITORY}/")[1]
        ask("PATCH upload", 202, "PATCH", place, layer)
        ask("PUT upload", 201, "PUT", f"{place}?digest={digest}")
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor("application/vnd.oci.image.config.v1+json", CONFIG),
                "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
            }
        ).encode()
        ask("PUT manifest", 201, "PUT", "manifests/one", manifest, MANIFEST)
        ask("GET manifest by tag", 200, "GET", "manifests/one")
        ask("GET manifest by digest", 200, "GET", f"manifests/{_digest(manifest)}")
        ask("HEAD manifest", 200, "HEAD", "manifests/one")
        ask("HEAD blob", 200, "HEAD", f"blobs/{digest}")
        ask("GET blob", 200, "GET", f"blobs/{digest}")
    return found


def test_each_request_costs_what_it_did(costs: Mapping[str, Cost]) -> None:
    assert costs == {**PULL, **PUSH}


def _nothing(*_: object) -> None:
    return None


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}
