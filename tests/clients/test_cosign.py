"""Signatures, by cosign with a key of the test's own and no transparency log."""

import pytest

from tests.clients.client import refusal
from tests.clients.cosign import Cosign
from tests.clients.harbour import Harbour
from tests.clients.oras import Oras

pytestmark = pytest.mark.clients


@pytest.fixture
def developer(cosign: Cosign, harbour: Harbour) -> Cosign:
    cosign.login(harbour.developer.name, harbour.developer.password)
    cosign.run("generate-key-pair", "--output-key-prefix", "mine")
    cosign.run("generate-key-pair", "--output-key-prefix", "other")
    cosign.run("signing-config", "create", "--out", "signing.json")
    return cosign


def verify(cosign: Cosign, address: str, key: str = "mine", *options: str) -> str:
    return cosign.run("verify", "--key", f"{key}.pub", "--insecure-ignore-tlog=true", *options, address)


def test_a_signature(developer: Cosign, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    pushed = developer.push(repository, "v1", seed)
    address = f"{developer.registry}/{repository}@{pushed.digest}"
    assert "no signatures found" in refusal(lambda: verify(developer, address)).lower()
    developer.run("sign", "--yes", "--key", "mine.key", "--signing-config", "signing.json", address)
    assert pushed.digest in verify(developer, address)
    refusal(lambda: verify(developer, address, "other"))


def test_a_signature_is_a_referrer(developer: Cosign, harbour: Harbour, seed: str) -> None:
    """With referrers the repository gets no tag for it, so lists of tags stay what people pushed."""
    repository = f"{harbour.private}/{seed}"
    pushed = developer.push(repository, "v1", seed)
    address = f"{developer.registry}/{repository}@{pushed.digest}"
    developer.run("sign", "--yes", "--key", "mine.key", "--signing-config", "signing.json", address)
    listed = harbour.admin.request("GET", f"/v2/{repository}/referrers/{pushed.digest}").json["manifests"]
    assert [each["artifactType"] for each in listed] == ["application/vnd.dev.sigstore.bundle.v0.3+json"]
    assert harbour.admin.request("GET", f"/v2/{repository}/tags/list").json["tags"] == ["v1"]


def test_a_signature_under_a_tag(developer: Cosign, harbour: Harbour, seed: str) -> None:
    """As cosign did before version 3: the tag is made from the digest."""
    repository = f"{harbour.private}/{seed}"
    pushed = developer.push(repository, "v1", seed)
    address = f"{developer.registry}/{repository}@{pushed.digest}"
    old = "--new-bundle-format=false"
    alone = ("--use-signing-config=false", "--tlog-upload=false", old)
    developer.run("sign", "--yes", "--key", "mine.key", *alone, address)
    assert pushed.digest in verify(developer, address, "mine", old)
    tag = f"{pushed.digest.replace(':', '-')}.sig"
    assert harbour.admin.manifest(repository, tag).status == 200


def test_an_attestation(developer: Cosign, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    pushed = developer.push(repository, "v1", seed)
    address = f"{developer.registry}/{repository}@{pushed.digest}"
    (developer.shell.home / "predicate.json").write_text('{"cargo": "bananas"}')
    keyed = ("--key", "mine.key", "--signing-config", "signing.json")
    developer.run("attest", "--yes", *keyed, "--predicate", "predicate.json", address)
    checked = ("--key", "mine.pub", "--insecure-ignore-tlog=true")
    assert "payload" in developer.run("verify-attestation", *checked, address)


def test_a_copy_keeps_its_signature(developer: Cosign, oras: Oras, harbour: Harbour, seed: str) -> None:
    """oras copies an image with its referrers, as cosign advises."""
    source, target = f"{harbour.private}/{seed}", f"{harbour.public}/{seed}"
    pushed = developer.push(source, "v1", seed)
    address = f"{developer.registry}/{source}@{pushed.digest}"
    developer.run("sign", "--yes", "--key", "mine.key", "--signing-config", "signing.json", address)
    oras.login(harbour.developer.name, harbour.developer.password)
    plain = ("--from-plain-http", "--to-plain-http")
    oras.run("cp", "--recursive", *plain, address, developer.reference(target, "v1"))
    developer.logout()
    assert pushed.digest in verify(developer, f"{developer.registry}/{target}@{pushed.digest}")
