"""`mooring check` finds every fault, and names it so that a person knows what to push again."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, update

from mooring.registry.audit import audit
from mooring.registry.tables import manifests, repository_blobs
from tests.http.site import ADMIN_PASSWORD, Site, basic

ADMIN = basic("admin", ADMIN_PASSWORD)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = b"a layer"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "data") as made:
        yield made


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def push_blob(site: Site, repository: str, content: bytes) -> None:
    path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}"
    assert site.ask("POST", path, [ADMIN], content).status == 201


def push_manifest(site: Site, repository: str, reference: str, media_type: str, **fields: object) -> str:
    body = json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}).encode()
    path = f"/v2/{repository}/manifests/{reference or digest_of(body)}"
    assert site.ask("PUT", path, [ADMIN, ("content-type", media_type)], body).status == 201
    return digest_of(body)


def push_image(site: Site, repository: str, tag: str = "", note: str = "") -> str:
    for content in (b"{}", LAYER):
        push_blob(site, repository, content)
    config, layer = entry(CONFIG, b"{}"), entry("application/vnd.oci.image.layer.v1.tar", LAYER)
    return push_manifest(site, repository, tag, MANIFEST, config=config, layers=[layer], annotations={"note": note})


def entry(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def faults(site: Site) -> list[str]:
    async def find() -> list[str]:
        found = audit(site.parts.database, site.parts.store, read_bytes=True)
        return [f"{fault.kind} {fault.what}: {fault.text}" async for fault in found]

    return site.run(find())


def spoil(site: Site, content: bytes) -> None:
    """All copies: a second push's is removed a while after it."""
    for path in (site.settings.data / "objects").glob("??/*"):
        if path.read_bytes() == content:
            path.write_bytes(bytes(len(content)))


def test_a_broken_blob_is_named_with_all_that_need_it(site: Site) -> None:
    image = push_image(site, "library/app", "1.0")
    push_manifest(site, "library/app", "many", INDEX, manifests=[{"mediaType": MANIFEST, "digest": image, "size": 1}])
    loose = push_image(site, "library/loose", note="by its digest alone")
    push_blob(site, "library/only-the-blob", LAYER)
    assert faults(site) == []
    spoil(site, LAYER)
    names = f"library/app:1.0, library/app:many, library/loose@{loose}, library/only-the-blob"
    assert faults(site) == [f"wrong_blob {digest_of(LAYER)}: its bytes have another digest; needed by {names}"]


def test_a_blob_that_nothing_needs_is_said_to_be_so(site: Site) -> None:
    push_blob(site, "library/app", LAYER)
    assert site.ask("DELETE", f"/v2/library/app/blobs/{digest_of(LAYER)}", [ADMIN]).status == 202
    spoil(site, LAYER)
    assert faults(site) == [f"wrong_blob {digest_of(LAYER)}: its bytes have another digest; nothing needs it"]


def test_of_very_many_some_are_named(site: Site) -> None:
    for number in range(25):
        push_image(site, "library/app", f"v{number:02}", note=str(number))
    spoil(site, LAYER)
    (said,) = faults(site)
    assert "library/app:v00, " in said
    assert said.endswith("library/app:v19, and others")


def test_a_manifest_whose_blob_or_bytes_are_lost_is_named(site: Site) -> None:
    image = push_image(site, "library/app", "1.0")
    site.write(_lose_link, digest_of(LAYER))
    assert faults(site) == [f"missing_blob {digest_of(LAYER)}: it is not in library/app, but library/app:1.0 needs it"]
    push_blob(site, "library/app", LAYER)
    site.write(_change_bytes)
    assert faults(site) == [f"wrong_manifest {image}: its bytes have another digest; library/app:1.0"]


def _lose_link(connection: Connection, digest: str) -> None:
    connection.execute(delete(repository_blobs).where(repository_blobs.c.digest == digest))


def _change_bytes(connection: Connection) -> None:
    connection.execute(update(manifests).values(body=b"{}"))
