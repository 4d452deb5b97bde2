"""Many layers at once, and one that is large."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.clients.client import ImageClient
from tests.clients.crane import Crane
from tests.clients.docker import Docker
from tests.clients.harbour import Harbour
from tests.clients.skopeo import Skopeo
from tests.images import Image, build_image

pytestmark = pytest.mark.clients

GIBIBYTE = 1 << 30


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build_image(tmp_path_factory.mktemp("many"), "many", layers=20, size=65536)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """An image whose one layer is a gibibyte, also on the wire: it can't be compressed."""
    layout = tmp_path_factory.mktemp("large")
    yield build_image(layout, "large", layers=1, size=GIBIBYTE)
    shutil.rmtree(layout)


def test_twenty_layers(image_client: ImageClient, harbour: Harbour, many: Image, seed: str) -> None:
    """docker sends all of them at once: its engine here is told to. skopeo, podman and crane send some."""
    repository = f"{harbour.private}/{seed}"
    image_client.login(harbour.developer.name, harbour.developer.password)
    pushed = image_client.push_image(many, repository, "v1")
    assert len(pushed.contents) == 20
    assert image_client.pull(repository, "v1") == pushed


@pytest.mark.slow
def test_a_gibibyte_by_skopeo(skopeo: Skopeo, crane: Crane, harbour: Harbour, large: Image, seed: str) -> None:
    """skopeo streams a layer in one PATCH, crane reads it in one GET."""
    repository = f"{harbour.public}/{seed}"
    skopeo.login(harbour.developer.name, harbour.developer.password)
    pushed = skopeo.push_image(large, repository, "v1")
    assert pushed.digest == large.manifest.digest
    assert crane.pull(repository, "v1") == pushed


@pytest.mark.slow
def test_a_gibibyte_by_docker(docker: Docker, harbour: Harbour, large: Image, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    docker.login(harbour.developer.name, harbour.developer.password)
    pushed = docker.push_image(large, repository, "v1")
    assert harbour.admin.artifact(repository, "v1")["size"] > GIBIBYTE
    reference = docker.reference(repository, "v1")
    assert pushed.digest in docker.run("pull", reference, timeout=240)
    layers = docker.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", reference)
    docker.run("rmi", reference)
    assert json.loads(layers) == list(large.contents)  # which docker worked out from what arrived
