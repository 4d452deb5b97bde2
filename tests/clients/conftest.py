"""Every client, with state of its own, and the people it works for."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api import Api
from tests.clients import engine
from tests.clients.client import Client, Deleter, ImageClient, IndexClient, shell_in
from tests.clients.cosign import Cosign
from tests.clients.crane import Crane
from tests.clients.docker import Docker
from tests.clients.engine import Engine
from tests.clients.harbour import Harbour, open_harbour
from tests.clients.helm import Helm
from tests.clients.oras import Oras
from tests.clients.podman import Buildah, Podman
from tests.clients.skopeo import Skopeo
from tests.programs import Shell, find
from tests.server import Registry

MakeShell = Callable[[str], Shell]

OVER_REPLICAS = frozenset(
    {
        "test_what_is_pushed_is_pulled",
        "test_a_robot_pushes_and_pulls",
        "test_a_robot_disabled_after_it_logged_in",
        "test_what_was_deleted_is_not_pulled",
        "test_a_client_deletes",
        "test_every_architecture_is_pushed_and_pulled",
        "test_twenty_layers",
        "test_layers_are_mounted_from_another_repository",
        "test_sync_copies_a_whole_repository",
        "test_referrers_are_found",
        "test_a_signature",
    }
)
"""What is run through the load balancer without `--everything`: every client, and what takes the most requests."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("everything"):
        return
    here = Path(__file__).parent
    left = [
        item
        for item in items
        if item.path.parent == here
        and item.get_closest_marker("replicas")
        and getattr(item, "originalname", "") not in OVER_REPLICAS
    ]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


@pytest.fixture(scope="session")
def harbour(registry: Registry) -> Harbour:
    return open_harbour(registry, Api(registry.url, registry.username, registry.password))


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    with engine.running() as started:
        yield started


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """A name that only this test has, for what it makes."""
    return re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")


@pytest.fixture
def make_shell(registry: Registry) -> Iterator[MakeShell]:
    """Makes the directory and environment of one client, gone when the test ends: images are large."""
    # podman wants a path of at most 50 characters
    with tempfile.TemporaryDirectory(prefix="mooring-", ignore_cleanup_errors=True) as home:
        yield lambda name: shell_in(Path(home) / name, registry.address)


@pytest.fixture
def docker(make_shell: MakeShell, registry: Registry, docker_engine: Engine) -> Docker:
    return Docker(make_shell("docker"), registry.address, docker_engine)


@pytest.fixture
def skopeo(make_shell: MakeShell, registry: Registry) -> Skopeo:
    return Skopeo(make_shell("skopeo"), registry.address, find("skopeo"))


@pytest.fixture
def podman(make_shell: MakeShell, registry: Registry) -> Podman:
    return Podman(make_shell("podman"), registry.address, find("podman"))


@pytest.fixture
def buildah(make_shell: MakeShell, registry: Registry) -> Buildah:
    return Buildah(make_shell("buildah"), registry.address, find("buildah"))


@pytest.fixture
def crane(make_shell: MakeShell, registry: Registry) -> Crane:
    return Crane(make_shell("crane"), registry.address, find("crane"))


@pytest.fixture
def oras(make_shell: MakeShell, registry: Registry) -> Oras:
    return Oras(make_shell("oras"), registry.address, find("oras"))


@pytest.fixture
def helm(make_shell: MakeShell, registry: Registry) -> Helm:
    return Helm(make_shell("helm"), registry.address, find("helm"))


@pytest.fixture
def cosign(make_shell: MakeShell, registry: Registry) -> Cosign:
    return Cosign(make_shell("cosign"), registry.address, find("cosign"))


@pytest.fixture(params=["docker", "skopeo", "podman", "buildah", "crane", "oras", "helm", "cosign"])
def client(request: pytest.FixtureRequest) -> Client:
    """Each client in turn."""
    made: Client = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["docker", "skopeo", "podman", "buildah", "crane"])
def image_client(request: pytest.FixtureRequest) -> ImageClient:
    made: ImageClient = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["docker", "skopeo", "podman", "buildah", "crane"])
def index_client(request: pytest.FixtureRequest) -> IndexClient:
    made: IndexClient = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["skopeo", "crane", "oras"])
def deleter(request: pytest.FixtureRequest) -> Deleter:
    made: Deleter = request.getfixturevalue(request.param)
    return made
