"""Artifacts that refer to others, by oras."""

import pytest

from tests.clients.client import refusal
from tests.clients.harbour import Harbour
from tests.clients.oras import PLAIN, Oras
from tests.images import digest_of

pytestmark = pytest.mark.clients

NOTE, BILL = "application/vnd.example.note", "application/vnd.example.bill"


@pytest.fixture
def developer(oras: Oras, harbour: Harbour) -> Oras:
    oras.login(harbour.developer.name, harbour.developer.password)
    return oras


def attach(oras: Oras, repository: str, reference: str, kind: str, text: str) -> str:
    """Attach a file to an artifact and return the new manifest's digest."""
    (oras.shell.home / "attached.txt").write_text(text)
    target = oras.reference(repository, reference)
    options = (PLAIN, "--artifact-type", kind, "--annotation", f"text={text}")
    digest: str = oras.json("attach", *options, target, "attached.txt:text/plain")["digest"]
    return digest


def discover(oras: Oras, repository: str, reference: str, *options: str) -> dict[str, str]:
    """The digest of each direct referrer with its type."""
    found = oras.json("discover", PLAIN, "--depth", "1", *options, oras.reference(repository, reference))
    return {each["digest"]: each["artifactType"] for each in found.get("referrers", [])}


def test_referrers_are_found(developer: Oras, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    developer.push(repository, "v1", seed)
    assert discover(developer, repository, "v1") == {}
    note = attach(developer, repository, "v1", NOTE, "first")
    bill = attach(developer, repository, "v1", BILL, "second")
    assert discover(developer, repository, "v1") == {note: NOTE, bill: BILL}
    assert discover(developer, repository, "v1", "--artifact-type", BILL) == {bill: BILL}
    assert discover(developer, repository, "v1", "--distribution-spec", "v1.1-referrers-api") == {
        note: NOTE,
        bill: BILL,
    }
    tags = developer.run("repo", "tags", PLAIN, f"{developer.registry}/{repository}")
    assert tags.split() == ["v1"], "oras fell back to a tag: it took the registry for one without referrers"


def test_a_referrer_of_a_referrer(developer: Oras, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    developer.push(repository, "v1", seed)
    note = attach(developer, repository, "v1", NOTE, "about the cargo")
    deeper = attach(developer, repository, note, NOTE, "about the note")
    assert discover(developer, repository, note) == {deeper: NOTE}
    everything = developer.json("discover", PLAIN, developer.reference(repository, "v1"))
    assert [each["digest"] for each in everything["referrers"][0]["referrers"]] == [deeper]


def test_referrers_are_copied_along(developer: Oras, harbour: Harbour, seed: str) -> None:
    source, target = f"{harbour.private}/{seed}", f"{harbour.public}/{seed}"
    pushed = developer.push(source, "v1", seed)
    note = attach(developer, source, "v1", NOTE, "first")
    plain = ("--from-plain-http", "--to-plain-http")
    arguments = (developer.reference(source, "v1"), developer.reference(target, "v1"))
    developer.run("cp", "--recursive", *plain, *arguments)
    developer.logout()
    assert developer.pull(target, "v1") == pushed
    assert discover(developer, target, "v1") == {note: NOTE}


def test_a_deleted_referrer_is_no_longer_found(oras: Oras, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    oras.login(harbour.maintainer.name, harbour.maintainer.password)
    oras.push(repository, "v1", seed)
    note, bill = (attach(oras, repository, "v1", kind, kind) for kind in (NOTE, BILL))
    oras.delete(repository, note)
    assert discover(oras, repository, "v1") == {bill: BILL}


def test_several_tags_at_once(developer: Oras, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    (developer.shell.home / "file").write_text(seed)
    target = developer.reference(repository, "v1,v2,v3")
    digest = developer.json("push", PLAIN, target, "file")["digest"]
    for tag in ("v1", "v2", "v3"):
        resolved = developer.run("resolve", PLAIN, developer.reference(repository, tag))
        assert resolved.strip() == digest


def test_a_blob_alone(oras: Oras, harbour: Harbour, seed: str) -> None:
    repository = f"{harbour.private}/{seed}"
    oras.login(harbour.maintainer.name, harbour.maintainer.password)
    (oras.shell.home / "blob").write_text(seed)
    digest = digest_of(seed.encode())
    address = f"{oras.registry}/{repository}@{digest}"
    oras.run("blob", "push", PLAIN, address, "blob")
    assert oras.run("blob", "fetch", PLAIN, "--output", "-", address) == seed
    oras.run("blob", "delete", PLAIN, "--force", address)
    assert "not found" in refusal(lambda: oras.run("blob", "fetch", PLAIN, "--output", "-", address))


def test_repositories_are_listed(developer: Oras, harbour: Harbour, seed: str) -> None:
    developer.push(f"{harbour.private}/{seed}", "v1", seed)
    listed = developer.run("repo", "ls", PLAIN, f"{developer.registry}/{harbour.private}").split()
    assert seed in listed
