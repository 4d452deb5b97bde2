"""One cluster for the run; each test has a namespace of its own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes import cluster as clusters
from tests.kubernetes import jobs
from tests.kubernetes.api import Kubernetes
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.jobs import Runner
from tests.kubernetes.release import Release
from tests.postgresql import PostgreSQL
from tests.postgresql import running as postgresql

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.kubernetes)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with clusters.running(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


@pytest.fixture(scope="session")
def database() -> Iterator[PostgreSQL]:
    with postgresql() as started:
        yield started


@pytest.fixture
def api(cluster: Cluster) -> Kubernetes:
    return cluster.api


@pytest.fixture
def namespace(request: pytest.FixtureRequest, api: Kubernetes) -> str:
    """A new one, in which no pod may have more rights than Kubernetes' strictest standard allows."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:63].strip("-")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    return name


@pytest.fixture
def release(cluster: Cluster, namespace: str) -> Release:
    return Release(cluster, namespace)


@pytest.fixture
def changes(release: Release, database: PostgreSQL, tmp_path: Path) -> dict[str, Any]:
    """Where this test's database and bytes are; its Secret is there before the release, as a real one's must be."""
    secret = {"metadata": {"name": "mooring-database"}, "stringData": {"url": database.create()}}
    release.api.ask("POST", f"/api/v1/namespaces/{release.namespace}/secrets", secret)
    return {"store": {"url": f"file://{tmp_path}/objects", "existingSecret": ""}}


@pytest.fixture
def runner(release: Release, tmp_path: Path) -> Iterator[Runner]:
    with jobs.running(release.api, release.namespace, tmp_path / "jobs") as running:
        yield running
