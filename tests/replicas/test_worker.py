"""`mooring worker` does the cluster's work. What it dies over is done by another one, or else by the servers."""

import hashlib
import json
import random
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from mooring.registry.collection import BATCH
from tests import s3
from tests.api import Api
from tests.observe.shown import Shown, shown
from tests.replicas import bucket
from tests.replicas import cluster as clusters
from tests.replicas.cluster import Cluster
from tests.replicas.replica import Replica
from tests.server import HOST

pytestmark = [pytest.mark.replicas, pytest.mark.timeout(300)]

BLOBS: Final = BATCH + 40
FIRST: Final = 20
SOME: Final = f"object_key IN (SELECT object_key FROM object_removals LIMIT {FIRST})"
DOING: Final = (
    "SELECT * FROM procrastinate_jobs AS jobs JOIN procrastinate_events AS events ON job_id = jobs.id "
    "WHERE status = 'doing' AND lock = 'collection' AND events.type = 'started'"
)
_direct: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose server leaves all work to workers."""
    told = {"MOORING_JOBS": "off", "MOORING_COLLECTION_DELAY_SECONDS": "0", "MOORING_COLLECTION_INTERVAL_SECONDS": "1"}
    directory = tmp_path_factory.mktemp("idle")
    with s3.either() as store, clusters.running(directory, 1, told, store=store) as running:
        yield running


def until(holds: Callable[[], Any], seconds: float = 60, pause: float = 0.2) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(pause)
    return found


def metrics(process: Replica) -> Shown:
    with _direct.open(f"http://{HOST}:{process.port}/metrics", timeout=10) as answer:
        return shown(answer.read())


def rounds(process: Replica, work: str = "collection") -> float:
    """How often it has done that work."""
    return metrics(process).sum("mooring_work_total", work=work)


def states(cluster: Cluster) -> list[dict[str, Any]]:
    printed = cluster.mooring("cluster", "status", "--json").out
    found: list[dict[str, Any]] = json.loads(printed[printed.index("[") :])
    return found


def keys_of(cluster: Cluster) -> str:
    said = cluster.mooring("keys", "list")
    assert said.code == 0, said
    return said.out


def push_blobs(cluster: Cluster, count: int) -> None:
    admin = Api(cluster.url, cluster.username, cluster.password)

    def push(number: int) -> int:
        content = json.dumps(f"blob {number} {random.random()}").encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return admin.request(
            "POST",
            "/v2/library/unwanted/blobs/uploads/",
            json.loads(content),
            query={"digest": digest},
            headers={"Content-Type": "application/octet-stream"},
        ).status

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(push, range(count))) == {201}


def test_a_collection_that_is_killed_half_way_is_finished_by_another(idle: Cluster) -> None:
    push_blobs(idle, BLOBS)
    first, second = idle.worker("first"), idle.worker("second")
    try:
        assert len(bucket.objects(idle)) == BLOBS
        assert idle.mooring("gc").code == 0
        assert idle.execute(f"UPDATE object_removals SET due_at = 0 WHERE {SOME}") == FIRST
        first.start()
        until(lambda: idle.execute("SELECT * FROM object_removals") == BLOBS - FIRST)
        assert len(bucket.objects(idle)) == BLOBS - FIRST
        # What the store was asked for before the kill it may still do: one batch, which is less than what is left.
        assert idle.store is not None
        idle.store.pause()
        idle.execute("UPDATE object_removals SET due_at = 0")
        paused_at = idle.value("SELECT clock_timestamp()")
        until(lambda: idle.execute(f"{DOING} AND at > '{paused_at}'") == 1)
        first.kill()
        idle.store.resume()
        assert BLOBS - FIRST - BATCH <= len(bucket.objects(idle)) <= BLOBS - FIRST
        assert idle.execute("SELECT * FROM object_removals") > 0
        assert idle.execute(DOING) == 1
        second.start()
        until(lambda: not bucket.objects(idle))
        until(lambda: idle.execute("SELECT * FROM object_removals") == 0)
        assert "worker_lost" in second.log.read_text()
        assert "No faults." in idle.mooring("check").out
    finally:
        first.kill()
        second.kill()


def test_a_worker_shows_itself_and_takes_the_work_from_the_servers(cluster: Cluster) -> None:
    until(lambda: sum(rounds(replica) for replica in cluster.replicas) > 0)
    worker = cluster.worker("helping")
    worker.start()
    try:
        roles = {state["name"].partition("/")[0]: state["pulse"]["role"] for state in states(cluster)}
        assert list(roles.values()).count("worker") == 1
        assert {roles[replica.name] for replica in cluster.replicas} == {"server"}
        until(lambda: rounds(worker) > 0)
        until(lambda: metrics(worker).sum("mooring_cluster_replicas", role="worker", state="ready") == 1)
        told = metrics(worker)
        assert told.sum("mooring_workers", role="worker") == told.sum("mooring_ready") == 1
        assert told.sum("mooring_cluster_replicas", role="server") == metrics(cluster.replicas[0]).sum(
            "mooring_cluster_replicas", role="server"
        )
        assert told.sum("mooring_work_last_success_timestamp_seconds", work="collection") > 0
        assert told.sum("mooring_queue_lag_seconds", queue="jobs") < 60
        assert told.sum("mooring_store_seconds_count") > 0
        # Those who serve have left off, also the listening: nobody but the worker is known to Procrastinate.
        until(lambda: cluster.execute("SELECT * FROM procrastinate_workers") == 1)
        before = sum(rounds(replica) for replica in cluster.replicas)
        worker.kill()
        until(lambda: sum(rounds(replica) for replica in cluster.replicas) > before)
    finally:
        worker.kill()


def test_a_worker_that_is_stopped_says_goodbye(cluster: Cluster) -> None:
    worker = cluster.worker("leaving")
    worker.start()
    assert worker.process is not None
    process = worker.process
    worker.stop()
    assert process.returncode == 0
    assert not [state for state in states(cluster) if state["name"].startswith("leaving/")]


def test_keys_rotate_without_asking_the_worker(cluster: Cluster) -> None:
    """A worker signs and verifies nothing, so no new key waits for it."""
    worker = cluster.worker("apart")
    worker.start()
    try:
        assert "is pending" in cluster.mooring("keys", "rotate").out
        until(lambda: "pending" not in keys_of(cluster), seconds=30)
    finally:
        worker.kill()
