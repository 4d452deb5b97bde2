"""What only skopeo does."""

import json

import pytest

from tests.clients.harbour import Harbour
from tests.clients.skopeo import PLAIN, Skopeo
from tests.images import MANIFEST, build_image, layout_contents, layout_manifest

pytestmark = pytest.mark.clients


@pytest.fixture
def developer(skopeo: Skopeo, harbour: Harbour) -> Skopeo:
    skopeo.login(harbour.developer.name, harbour.developer.password)
    return skopeo


def test_inspect(developer: Skopeo, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    pushed = developer.push(repository, "v1", seed)
    developer.push(repository, "v2", f"{seed}-2")
    shown = json.loads(developer.run("inspect", PLAIN, developer.reference(repository, "v1")))
    assert shown["Digest"] == pushed.digest
    assert shown["RepoTags"] == ["v1", "v2"]
    assert shown["Labels"] == {"seed": seed}


def test_list_tags(developer: Skopeo, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    tags = sorted(["v1", "V1", "_", "1.0", "x" * 128])
    image = build_image(developer.shell.home / "image", seed)
    for tag in tags:
        developer.push_image(image, repository, tag)
    address = f"docker://{developer.registry}/{repository}"
    assert json.loads(developer.run("list-tags", PLAIN, address))["Tags"] == tags


def test_a_docker_image_keeps_its_bytes(developer: Skopeo, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    image = build_image(developer.shell.home / "image", seed, style="docker")
    # the layout's reader knows OCI's media types only, so the manifest goes over as a directory
    directory = developer.shell.directory()
    for blob in (image.config, *image.layers):
        source = image.layout / "blobs" / blob.digest.replace(":", "/")
        (directory / blob.digest.removeprefix("sha256:")).write_bytes(source.read_bytes())
    (directory / "manifest.json").write_bytes(layout_manifest(image.layout))
    (directory / "version").write_text("Directory Transport Version: 1.1\n")
    copy = ("copy", "--preserve-digests", "--dest-tls-verify=false")
    developer.run(*copy, f"dir:{directory}", developer.reference(repository, "v1"))
    stored = harbour.admin.manifest(repository, "v1")
    assert stored.body == layout_manifest(image.layout)
    assert stored.headers["Content-Type"] == MANIFEST["docker"]


def test_sync_copies_a_whole_repository(developer: Skopeo, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    pushed = {tag: developer.push(repository, tag, f"{seed}-{tag}") for tag in ("v1", "v2", "v3")}
    target = f"{developer.registry}/{harbour.public}"
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    transports = ("--src", "docker", "--dest", "docker")
    developer.run("sync", *plain, *transports, f"{developer.registry}/{repository}", target)
    for tag, copy in pushed.items():
        assert developer.pull(f"{harbour.public}/{seed}", tag) == copy


def test_a_copy_within_the_registry_can_be_verified(developer: Skopeo, harbour: Harbour, seed: str) -> None:
    """Between repositories of one registry skopeo offers to mount each blob."""
    source, target = f"{harbour.private}/{seed}", f"{harbour.public}/{seed}"
    pushed = developer.push(source, "v1", seed)
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    developer.run("copy", *plain, developer.reference(source, "v1"), developer.reference(target, "v1"))
    layout = developer.shell.directory()
    developer.run("copy", "--src-tls-verify=false", developer.reference(target, "v1"), f"oci:{layout}:v1")
    assert layout_contents(layout, layout_manifest(layout)) == pushed.contents
