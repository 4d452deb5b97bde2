"""What only docker does."""

import json

import pytest

from tests.clients.docker import Docker
from tests.clients.harbour import Harbour
from tests.images import build_image, digest_of

pytestmark = pytest.mark.clients


@pytest.fixture
def developer(docker: Docker, harbour: Harbour) -> Docker:
    docker.login(harbour.developer.name, harbour.developer.password)
    return docker


def test_layers_are_mounted_from_another_repository(developer: Docker, harbour: Harbour, seed: str) -> None:
    image = build_image(developer.shell.home / "image", seed)
    first, second = (
        developer.reference(f"{harbour.private}/{seed}-1", "v1"),
        developer.reference(f"{harbour.public}/{seed}-2", "v1"),
    )
    developer.load(image, first)
    developer.run("tag", first, second)
    developer.run("push", first)
    printed = developer.run("push", second)
    developer.run("rmi", "--force", first, second)
    assert printed.count(f"Mounted from {harbour.private}/{seed}-1") == len(image.layers)
    assert developer.pull(f"{harbour.public}/{seed}-2", "v1").contents == image.contents


def test_a_layer_that_may_not_be_mounted_is_uploaded(docker: Docker, harbour: Harbour, seed: str) -> None:
    """The engine offers what it pushed for somebody else, from where this caller may not pull."""
    image = build_image(docker.shell.home / "image", seed)
    docker.login(harbour.developer.name, harbour.developer.password)
    first = docker.reference(f"{harbour.private}/{seed}-1", "v1")
    docker.load(image, first)
    docker.run("push", first)
    project = harbour.admin.create_project()
    robot = harbour.admin.create_robot(project)
    docker.login(robot.name, robot.password)
    second = docker.reference(f"{project}/{seed}-2", "v1")
    docker.run("tag", first, second)
    printed = docker.run("push", second)
    docker.run("rmi", "--force", first, second)
    assert "Mounted from" not in printed
    assert printed.count(": Pushed") == len(image.layers)
    assert docker.pull(f"{project}/{seed}-2", "v1").contents == image.contents


def test_a_layer_that_is_there_is_not_sent_again(developer: Docker, harbour: Harbour, seed: str) -> None:
    image = build_image(developer.shell.home / "image", seed)
    reference = developer.reference(f"{harbour.private}/{seed}", "v1")
    developer.load(image, reference)
    first, again = developer.run("push", reference), developer.run("push", reference)
    developer.run("rmi", "--force", reference)
    assert first.count(": Pushed") == again.count(": Layer already exists") == len(image.layers)


def test_all_tags(developer: Docker, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    image = build_image(developer.shell.home / "image", seed)
    tags = ["v1", "V.2_three-4", "_", "x" * 128]
    for tag in tags:
        developer.load(image, developer.reference(repository, tag))
    developer.run("push", "--all-tags", f"{developer.registry}/{repository}")
    developer.run("rmi", "--force", *(developer.reference(repository, tag) for tag in tags))
    assert len({harbour.admin.manifest(repository, tag).headers["Docker-Content-Digest"] for tag in tags}) == 1


def test_a_pull_by_digest(developer: Docker, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    pushed = developer.push(repository, "v1", seed)
    reference = f"{developer.registry}/{repository}@{pushed.digest}"
    developer.run("pull", reference)
    inspected = json.loads(developer.run("image", "inspect", reference))
    developer.run("rmi", "--force", reference)
    assert inspected[0]["RepoDigests"] == [reference]
    assert inspected[0]["RootFS"]["Layers"] == list(pushed.contents)


def test_login_keeps_a_refresh_token_instead_of_the_password(developer: Docker, harbour: Harbour, seed: str) -> None:
    kept = json.loads((developer.shell.home / "docker" / "config.json").read_text())
    entry = kept["auths"][developer.registry]
    assert entry["identitytoken"]
    assert harbour.developer.password not in json.dumps(kept)
    assert developer.push(f"{harbour.private}/{seed}", "v1", seed).digest


def test_manifest_inspect(developer: Docker, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    pushed = developer.push(repository, "v1", seed)
    reference = developer.reference(repository, "v1")
    shown = json.loads(developer.run("manifest", "inspect", "--insecure", reference))
    stored = harbour.admin.manifest(repository, "v1").body
    assert digest_of(stored) == pushed.digest
    assert shown["layers"] == json.loads(stored)["layers"]
