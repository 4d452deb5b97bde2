"""An image for several architectures."""

import json

import pytest

from tests.clients.client import IndexClient
from tests.clients.crane import Crane
from tests.clients.docker import Docker
from tests.clients.harbour import Harbour
from tests.clients.podman import Podman
from tests.clients.skopeo import Skopeo
from tests.images import Index, build_index, digest_of, index_digests

pytestmark = pytest.mark.clients


@pytest.fixture
def index(tmp_path_factory: pytest.TempPathFactory, seed: str) -> Index:
    return build_index(tmp_path_factory.mktemp("index") / "layout", seed)


def test_every_architecture_is_pushed_and_pulled(
    index_client: IndexClient, harbour: Harbour, index: Index, seed: str
) -> None:
    repository = f"{harbour.private}/{seed}"
    index_client.login(harbour.developer.name, harbour.developer.password)
    digest = index_client.push_index(index, repository, "v1")
    stored = harbour.admin.manifest(repository, "v1")
    assert digest_of(stored.body) == digest
    assert list(index_digests(stored.body)) == [image.architecture for image in index.images]
    pulled = index_client.pull_index(repository, "v1", [image.architecture for image in index.images])
    assert pulled == [image.contents for image in index.images]


@pytest.mark.parametrize("copier", ["skopeo", "crane"])
def test_an_index_keeps_its_bytes(
    copier: str, request: pytest.FixtureRequest, harbour: Harbour, index: Index, seed: str
) -> None:
    client: Skopeo | Crane = request.getfixturevalue(copier)
    client.login(harbour.developer.name, harbour.developer.password)
    client.push_index(index, f"{harbour.private}/{seed}", "v1")
    for blob in (index.manifest, *(image.manifest for image in index.images)):
        assert digest_of(harbour.admin.manifest(f"{harbour.private}/{seed}", blob.digest).body) == blob.digest


def test_skopeo_copies_all_from_one_repository_to_another(
    skopeo: Skopeo, harbour: Harbour, index: Index, seed: str
) -> None:
    source, target = f"{harbour.private}/{seed}-1", f"{harbour.public}/{seed}-2"
    skopeo.login(harbour.developer.name, harbour.developer.password)
    skopeo.push_index(index, source, "v1")
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo.run("copy", "--all", *plain, skopeo.reference(source, "v1"), skopeo.reference(target, "v1"))
    assert harbour.admin.manifest(target, "v1").body == harbour.admin.manifest(source, "v1").body
    skopeo.logout()
    architectures = [image.architecture for image in index.images]
    assert skopeo.pull_index(target, "v1", architectures) == [image.contents for image in index.images]


def test_docker_inspects_an_index(docker: Docker, crane: Crane, harbour: Harbour, index: Index, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    for client in (docker, crane):
        client.login(harbour.developer.name, harbour.developer.password)
    crane.push_index(index, repository, "v1")
    architectures = [image.architecture for image in index.images]
    assert docker.pull_index(repository, "v1", architectures) == [image.contents for image in index.images]


def test_podman_inspects_an_index(podman: Podman, crane: Crane, harbour: Harbour, index: Index, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    for client in (podman, crane):
        client.login(harbour.developer.name, harbour.developer.password)
    crane.push_index(index, repository, "v1")
    inspected = podman.run("manifest", "inspect", f"{podman.registry}/{repository}:v1")
    assert [each["digest"] for each in json.loads(inspected)["manifests"]] == [
        image.manifest.digest for image in index.images
    ]
