"""What only helm does."""

import pytest

from tests.clients.harbour import Harbour
from tests.clients.helm import PLAIN, Helm

pytestmark = pytest.mark.clients


@pytest.fixture
def developer(helm: Helm, harbour: Harbour) -> Helm:
    helm.login(harbour.developer.name, harbour.developer.password)
    return helm


def test_a_version_with_a_plus(developer: Helm, harbour: Harbour, seed: str) -> None:
    """A tag can't hold a +: helm writes _ for it, and + again when it pulls."""
    repository, version = f"{harbour.private}/{seed}", "1.2.3-rc.1+build.5"
    pushed = developer.push(repository, version, seed)
    assert developer.pull(repository, version) == pushed
    tags = [tag["name"] for tag in harbour.admin.artifact(repository, pushed.digest)["tags"]]
    assert tags == ["1.2.3-rc.1_build.5"]


def test_a_range_of_versions(developer: Helm, harbour: Harbour, seed: str) -> None:
    """helm lists the tags, page by page, and picks the highest version within the range."""
    repository = f"{harbour.private}/{seed}"
    pushed = {each: developer.push(repository, each, each) for each in ("1.0.0", "1.9.0", "1.10.0+a", "2.0.0")}
    assert developer.pull(repository, "^1.0") == pushed["1.10.0+a"]


def test_a_chart_is_rendered_from_the_registry(developer: Helm, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    developer.push(repository, "1.0.0", seed)
    address = f"oci://{developer.registry}/{repository}"
    assert f"name: {seed}" in developer.run("show", "chart", PLAIN, address, "--version", "1.0.0")
    rendered = developer.run("template", PLAIN, "release", address, "--version", "1.0.0")
    assert "kind: ConfigMap" in rendered or '"kind": "ConfigMap"' in rendered
