"""Manifests and blobs for tests that look at artifacts, pushed through the registry API."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

OCI: Final = "application/vnd.oci.image."
MANIFEST: Final = f"{OCI}manifest.v1+json"
INDEX: Final = f"{OCI}index.v1+json"
IMAGE_CONFIG: Final = f"{OCI}config.v1+json"
LAYER: Final = f"{OCI}layer.v1.tar+gzip"
HELM_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"

Send = Callable[[str, str, Mapping[str, str], bytes], int]
"""(method, path, headers, body) -> status."""


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def push_blob(send: Send, repository: str, content: bytes) -> dict[str, Any]:
    digest = digest_of(content)
    status = send("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", {}, content)
    assert status == 201, status
    return {"digest": digest, "size": len(content)}


def push_manifest(send: Send, repository: str, reference: str | None, media_type: str, body: object) -> str:
    """Its digest."""
    content = json.dumps(body).encode()
    path = f"/v2/{repository}/manifests/{reference or digest_of(content)}"
    status = send("PUT", path, {"content-type": media_type}, content)
    assert status == 201, status
    return digest_of(content)


def push_image(
    send: Send,
    repository: str,
    tag: str | None,
    *,
    seed: str = "seed",
    architecture: str = "amd64",
    config_type: str = IMAGE_CONFIG,
    subject: Mapping[str, Any] | None = None,
    artifact_type: str | None = None,
) -> str:
    """An image of one layer, or something else with another type of configuration. Its digest."""
    config = json.dumps({"architecture": architecture, "os": "linux", "author": seed, "config": {"Env": ["A=b"]}})
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": config_type, **push_blob(send, repository, config.encode())},
        "layers": [{"mediaType": LAYER, **push_blob(send, repository, seed.encode())}],
        "annotations": {"seed": seed},
    }
    if subject:
        body["subject"] = dict(subject)
    if artifact_type:
        body["artifactType"] = artifact_type
    return push_manifest(send, repository, tag, MANIFEST, body)


def push_index(send: Send, repository: str, tag: str | None, architectures: Sequence[str], seed: str = "seed") -> str:
    entries = []
    for architecture in architectures:
        digest = push_image(send, repository, None, seed=seed, architecture=architecture)
        platform = {"architecture": architecture, "os": "linux"}
        entries.append({"mediaType": MANIFEST, "digest": digest, "size": 1, "platform": platform})
    return push_manifest(send, repository, tag, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
