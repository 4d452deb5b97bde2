"""What only crane does."""

import pytest

from tests.clients.client import refusal
from tests.clients.crane import Crane
from tests.clients.harbour import Harbour
from tests.images import build_image

pytestmark = pytest.mark.clients


@pytest.fixture
def developer(crane: Crane, harbour: Harbour) -> Crane:
    crane.login(harbour.developer.name, harbour.developer.password)
    return crane


def test_tags_and_digests(developer: Crane, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    pushed = developer.push(repository, "v1", seed)
    developer.run("tag", developer.reference(repository, "v1"), "v2")
    assert developer.run("ls", f"{developer.registry}/{repository}").split() == ["v1", "v2"]
    assert developer.run("digest", developer.reference(repository, "v2")).strip() == pushed.digest


def test_the_registry_holds_what_it_should(developer: Crane, harbour: Harbour, seed: str) -> None:
    """crane reads every blob of the image again and works out its digest."""
    repository = f"{harbour.private}/{seed}"
    developer.push(repository, "v1", seed)
    printed = developer.shell.run(
        developer.crane, "validate", "--remote", developer.reference(repository, "v1"), merged=True
    )
    assert "PASS" in printed


def test_a_copy_between_projects(developer: Crane, harbour: Harbour, seed: str) -> None:
    source, target = f"{harbour.private}/{seed}", f"{harbour.public}/{seed}"
    pushed = developer.push(source, "v1", seed)
    developer.run("copy", developer.reference(source, "v1"), developer.reference(target, "v1"))
    developer.logout()
    assert developer.pull(target, "v1") == pushed


def test_a_copy_of_all_tags(developer: Crane, harbour: Harbour, seed: str) -> None:
    source, target = f"{harbour.private}/{seed}", f"{harbour.public}/{seed}"
    pushed = {tag: developer.push(source, tag, f"{seed}-{tag}") for tag in ("a", "b")}
    developer.run("copy", "--all-tags", f"{developer.registry}/{source}", f"{developer.registry}/{target}")
    for tag, copy in pushed.items():
        assert developer.pull(target, tag) == copy


def test_the_catalogue_names_what_one_may_pull(crane: Crane, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    crane.login(harbour.developer.name, harbour.developer.password)
    crane.push(repository, "v1", seed)
    assert repository in crane.run("catalog", crane.registry).split()
    crane.login(harbour.outsider.name, harbour.outsider.password)
    assert repository not in crane.run("catalog", crane.registry).split()


def test_one_blob(developer: Crane, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    image = build_image(developer.shell.home / "image", seed)
    developer.push_image(image, repository, "v1")
    reference = developer.reference(repository, image.config.digest)
    stored = (image.layout / "blobs" / image.config.digest.replace(":", "/")).read_text()
    assert developer.run("blob", reference) == stored


def test_a_tag_goes_alone(crane: Crane, harbour: Harbour, seed: str) -> None:
    """Deleting by tag leaves the manifest to its other tags; deleting by digest takes them all."""
    repository = f"{harbour.private}/{seed}"
    crane.login(harbour.maintainer.name, harbour.maintainer.password)
    pushed = crane.push(repository, "v1", seed)
    for tag in ("v2", "v3"):
        crane.run("tag", crane.reference(repository, "v1"), tag)
    crane.delete(repository, "v1")
    assert crane.run("ls", f"{crane.registry}/{repository}").split() == ["v2", "v3"]
    assert crane.pull(repository, "v2") == pushed
    crane.delete(repository, pushed.digest)
    for tag in ("v2", "v3"):
        assert "MANIFEST_UNKNOWN" in refusal(lambda tag=tag: crane.pull(repository, tag))  # type: ignore[misc]
