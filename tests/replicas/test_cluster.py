"""The cluster that other tests run on is what they take it for."""

import json
import urllib.request
from collections import Counter
from typing import Final

import pytest

from tests.api import Api
from tests.replicas.cluster import Cluster

pytestmark = pytest.mark.replicas

_direct: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def test_each_request_goes_to_the_next_replica(cluster: Cluster) -> None:
    answered = Counter(_answering(cluster) for _ in range(12))
    assert set(answered) == {replica.name for replica in cluster.replicas}
    assert set(answered.values()) == {4}


def test_what_one_replica_made_the_next_one_knows(cluster: Cluster) -> None:
    admin = Api(cluster.url, cluster.username, cluster.password)
    project = admin.create_project("everywhere")
    for _ in cluster.replicas:
        assert admin.call("GET", f"/projects/{project}").status == 200


def test_balancer_that_is_pointed_elsewhere_drops_nobody(cluster: Cluster) -> None:
    cluster.balancer.point(cluster.ports()[:1])
    assert {_answering(cluster) for _ in range(5)} == {cluster.replicas[0].name}
    cluster.balancer.point(cluster.ports())
    assert {_answering(cluster) for _ in range(6)} == {replica.name for replica in cluster.replicas}


def _answering(cluster: Cluster) -> str:
    with _direct.open(f"{cluster.url}/readyz", timeout=10) as answer:
        return str(json.load(answer)["replica"]).partition("/")[0]
