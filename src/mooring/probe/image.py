"""A small image that nobody has pushed before."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Final

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar"
LAYER_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Image:
    tag: str
    layers: tuple[bytes, ...]
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def make_image(layers: int = 2, size: int = LAYER_BYTES) -> Image:
    """Random layers: a registry that has them already would not be asked to take them."""
    contents = tuple(secrets.token_bytes(size) for _ in range(layers))
    history = {"rootfs": {"type": "layers", "diff_ids": [digest_of(content) for content in contents]}}
    config = json.dumps({"architecture": "amd64", "os": "linux", **history}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, config),
        "layers": [_descriptor(LAYER_TYPE, content) for content in contents],
    }
    return Image(f"probe-{secrets.token_hex(4)}", contents, config, json.dumps(manifest).encode())


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": digest_of(content)}
