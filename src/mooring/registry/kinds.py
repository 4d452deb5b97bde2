"""What an artifact is for people, told by its media types (Harbor, src/controller/artifact/processor)."""

import re

from mooring.registry.manifests import INDEXES

IMAGE = "IMAGE"
IMAGE_CONFIGS = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
NAMED = {
    "application/vnd.cncf.helm.config.v1+json": "CHART",
    "application/vnd.cnab.manifest.v1": "CNAB",
    "application/vnd.wasm.config.v1+json": "WASM",
    "application/vnd.cncf.model.config.v1+json": "CNAI",
}
UNKNOWN = "UNKNOWN"
CONFIG = re.compile(r"application/vnd\.[^.]*\.(.*)\.config\.[^.]*\+json")

SIGNATURES = (
    ("application/vnd.cncf.notary.signature", "signature.notation"),
    ("application/vnd.dev.cosign.", "signature.cosign"),
    ("application/vnd.dev.sigstore.bundle", "signature.cosign"),
    ("application/vnd.goharbor.harbor.sbom", "sbom.harbor"),
)


def kind_of(media_type: str, config_media_type: str) -> str:
    if media_type in INDEXES or config_media_type in IMAGE_CONFIGS:
        return IMAGE
    if config_media_type in NAMED:
        return NAMED[config_media_type]
    found = CONFIG.fullmatch(config_media_type)
    return found.group(1).upper() if found else UNKNOWN


def accessory_kind(artifact_type: str, config_media_type: str) -> str:
    told = artifact_type or config_media_type
    return next((kind for start, kind in SIGNATURES if told.startswith(start)), "subject.accessory")
