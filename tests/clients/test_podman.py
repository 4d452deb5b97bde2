"""What only podman does."""

import json

import pytest

from tests.clients.harbour import Harbour
from tests.clients.podman import PLAIN, Podman
from tests.images import build_image

pytestmark = pytest.mark.clients


def test_search_finds_what_one_may_pull(podman: Podman, harbour: Harbour, seed: str) -> None:
    found = {}
    podman.login(harbour.developer.name, harbour.developer.password)
    podman.push(f"{harbour.private}/{seed}", "v1", seed)
    for person in (harbour.developer, harbour.outsider):
        podman.login(person.name, person.password)
        found[person.name] = podman.run("search", PLAIN, "--limit", "1000", f"{podman.registry}/{seed}")
    assert f"{harbour.private}/{seed}" in found[harbour.developer.name]
    assert harbour.private not in found[harbour.outsider.name]


def test_search_lists_tags(podman: Podman, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    podman.login(harbour.developer.name, harbour.developer.password)
    for tag in ("b", "a", "c"):
        podman.push(repository, tag, seed)
    options = (PLAIN, "--list-tags", "--format", "json")
    (listed,) = json.loads(podman.run("search", *options, f"{podman.registry}/{repository}"))
    assert listed["Tags"] == ["a", "b", "c"]


@pytest.mark.parametrize("style", ["oci", "v2s2"])
def test_formats(podman: Podman, harbour: Harbour, seed: str, style: str) -> None:
    repository = f"{harbour.private}/{seed}"
    image = build_image(podman.shell.home / "image", seed)
    podman.login(harbour.developer.name, harbour.developer.password)
    podman.push_image(image, repository, "first")
    name = podman.run("pull", PLAIN, "--quiet", podman.reference(repository, "first")).strip()
    podman.run("push", PLAIN, "--format", style, name, podman.reference(repository, style))
    stored = json.loads(harbour.admin.manifest(repository, style).body)
    assert stored["mediaType" if style == "v2s2" else "schemaVersion"] == (
        "application/vnd.docker.distribution.manifest.v2+json" if style == "v2s2" else 2
    )
    assert podman.pull(repository, style).contents == image.contents
