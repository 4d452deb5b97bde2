"""Pulls that are sent to the bucket itself: real clients follow, and get the same bytes."""

import json
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from mooring.cli.main import application
from tests.api import Api
from tests.clients import engine
from tests.clients.client import ImageClient, shell_in
from tests.clients.crane import Crane
from tests.clients.docker import Docker
from tests.clients.podman import Podman
from tests.clients.skopeo import Skopeo
from tests.programs import find
from tests.replicas.cluster import Cluster
from tests.replicas.replica import Replica
from tests.server import HOST
from tests.workers import wait_for

pytestmark = [pytest.mark.replicas, pytest.mark.clients]


@pytest.fixture(scope="module")
def redirecting(cluster: Cluster) -> Iterator[Replica]:
    replica = cluster.replica("redirecting", MOORING_STORE_REDIRECT="true")
    replica.start()
    yield replica
    replica.kill()


@pytest.fixture(scope="module")
def project(cluster: Cluster) -> str:
    return Api(cluster.url, cluster.username, cluster.password).create_project("redirected")


@pytest.fixture(params=["docker", "skopeo", "podman", "crane"])
def client(request: pytest.FixtureRequest, redirecting: Replica) -> Iterator[ImageClient]:
    address = f"{HOST}:{redirecting.port}"
    with tempfile.TemporaryDirectory(prefix="mooring-", ignore_cleanup_errors=True) as home:
        shell = shell_in(Path(home) / request.param, address)
        if request.param == "docker":
            with engine.running() as started:
                yield cast("ImageClient", Docker(shell, address, started))
        else:
            kinds: dict[str, Callable[..., Any]] = {"skopeo": Skopeo, "podman": Podman, "crane": Crane}
            yield kinds[request.param](shell, address, find(request.param))


def test_a_client_follows(client: ImageClient, redirecting: Replica, cluster: Cluster, project: str) -> None:
    client.login(cluster.username, cluster.password)
    repository = f"{project}/{type(client).__name__.lower()}"
    pushed = client.push(repository, "v1", repository)
    before = redirections(redirecting)
    assert client.pull(repository, "v1") == pushed
    # What another worker counted is shown a moment later.
    wait_for(lambda: redirections(redirecting) >= before + len(pushed.contents), "each blob was redirected", 5)


def redirections(replica: Replica) -> float:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://{HOST}:{replica.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("mooring_requests_total{") and 'status="307"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in found)


def test_a_probe_follows_and_compares(redirecting: Replica, cluster: Cluster, project: str, tmp_path: Path) -> None:
    given = {"MOORING_PROBE_USERNAME": cluster.username, "MOORING_PROBE_PASSWORD": cluster.password}
    words = ["probe", f"http://{HOST}:{redirecting.port}", "--repository", f"{project}/probe", "--output", "json"]
    done = CliRunner().invoke(application, words, env={**given, "DOCKER_CONFIG": str(tmp_path)})
    assert done.exit_code == 0, done.output
    (run,) = json.loads(done.stdout)["runs"]
    # A bucket refuses who brings an Authorization beside the signature.
    assert [step["status"] for step in run["steps"] if step["name"] == "redirected"] == [200, 200, 200]
