"""Two replicas on PostgreSQL tell of what happens to them: one is killed, then the database is away."""

import time
from collections.abc import Iterator

import pytest

from tests.observe.alerts.receivers import Post, Webhook, webhook
from tests.replicas import cluster as clusters
from tests.replicas.cluster import Cluster

pytestmark = pytest.mark.replicas


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, hook: Webhook) -> Iterator[Cluster]:
    told = {
        "MOORING_ALERT_WEBHOOK": hook.url,
        "MOORING_ALERT_PRIVATE": "true",
        "MOORING_ALERT_INTERVAL_SECONDS": "1",
        "MOORING_ALERT_DELAY_SECONDS": "3",
    }
    with clusters.running(tmp_path_factory.mktemp("watched"), 2, told) as running:
        yield running


def wait_for(hook: Webhook, event: str, condition: str, number: int = 1) -> list[Post]:
    end = time.monotonic() + 120
    while True:
        found = [post for post in hook.posts if (post.json["event"], post.json["condition"]) == (event, condition)]
        if len(found) >= number:
            return found
        assert time.monotonic() < end, [post.json for post in hook.posts]
        time.sleep(0.2)


def test_a_replica_that_is_killed_and_comes_back(watched: Cluster, hook: Webhook) -> None:
    _, killed = watched.replicas
    killed.kill()
    (firing,) = wait_for(hook, "firing", "replica_lost")
    assert firing.json["subject"] == killed.name
    killed.start()
    wait_for(hook, "resolved", "replica_lost")
    assert len(wait_for(hook, "firing", "replica_lost")) == 1


def test_a_database_that_is_away(watched: Cluster, hook: Webhook) -> None:
    """Each server tells for itself: there is nothing by which they could agree."""
    watched.database.stop()
    try:
        firing = wait_for(hook, "firing", "database_failing", 2)
        assert {post.json["subject"] for post in firing} == {replica.name for replica in watched.replicas}
    finally:
        watched.database.start()
    wait_for(hook, "resolved", "database_failing", 2)
    assert len(wait_for(hook, "firing", "database_failing", 2)) == 2
    for replica in watched.replicas:
        assert hook.token not in replica.log.read_text()
