"""Manifests as they arrive: checked, and read for what they refer to. The bytes themselves are never changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mooring.errors import DigestInvalid, ManifestInvalid
from mooring.registry.digests import parse_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MEDIA_TYPES = IMAGES | INDEXES | {OCI_ARTIFACT}

FOREIGN_LAYERS = ("nondistributable", "foreign")
MOST_REFERENCES = 10_000
LONGEST_MEDIA_TYPE = 255


@dataclass(frozen=True)
class Reference:
    digest: str
    size: int
    kind: str
    """`blob` or `manifest`."""
    required: bool
    """Whether it must be in the repository before the manifest that names it."""
    platform: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Manifest:
    media_type: str
    artifact_type: str = ""
    config_media_type: str = ""
    subject: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()


def parse_manifest(body: bytes, content_type: str | None) -> Manifest:
    """Raises ManifestInvalid. Rules: image-spec manifest.md and image-index.md; CVE-2021-41190 for the media types."""
    document = _document(body)
    media_type = _media_type(document, content_type)
    subject = document.get("subject")
    references = tuple({reference.digest: reference for reference in _references(document, media_type)}.values())
    if len(references) > MOST_REFERENCES:
        raise ManifestInvalid(
            f"The manifest names {len(references)} blobs or manifests; {MOST_REFERENCES} are allowed."
        )
    return Manifest(
        media_type=media_type,
        artifact_type=_text(document, "artifactType"),
        config_media_type=_text(document.get("config") or {}, "mediaType"),
        subject=_descriptor(subject, "subject")[0] if subject is not None else None,
        annotations=_annotations(document),
        references=references,
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalid("The manifest is not JSON.") from error
    if not isinstance(document, dict):
        raise ManifestInvalid("The manifest is not a JSON object.")
    if document.get("schemaVersion") != 2:
        raise ManifestInvalid("The manifest's schemaVersion is not 2. Older schemas are not supported.")
    return document


def _media_type(document: Mapping[str, Any], content_type: str | None) -> str:
    announced = (content_type or "").partition(";")[0].strip()
    inside = document.get("mediaType")
    if inside is not None and not isinstance(inside, str):
        raise ManifestInvalid("The manifest's mediaType is not text.")
    if inside and announced and inside != announced:
        raise ManifestInvalid(f"Content-Type is {announced[:255]}, but the manifest says it is {inside[:255]}.")
    media_type = announced or inside or ""
    if media_type not in MEDIA_TYPES:
        raise ManifestInvalid(f"The media type {media_type[:255]!r} is not one of a manifest.")
    if media_type in INDEXES and ("layers" in document or "config" in document):
        raise ManifestInvalid("An index has manifests, and neither layers nor config.")
    if media_type in IMAGES and "manifests" in document:
        raise ManifestInvalid("An image manifest has layers and config, and no manifests.")
    return media_type


def _references(document: Mapping[str, Any], media_type: str) -> Iterator[Reference]:
    if media_type in INDEXES:
        for item in _list(document, "manifests"):
            digest, size = _descriptor(item, "manifests")
            platform = item.get("platform")
            yield Reference(digest, size, "manifest", False, platform if isinstance(platform, dict) else None)
        return
    if media_type in IMAGES:
        digest, size = _descriptor(document.get("config"), "config")
        yield Reference(digest, size, "blob", True)
    for item in _list(document, "blobs" if media_type == OCI_ARTIFACT else "layers"):
        digest, size = _descriptor(item, "layers")
        foreign = any(word in _text(item, "mediaType") for word in FOREIGN_LAYERS)
        yield Reference(digest, size, "blob", not foreign)


def _descriptor(item: Any, where: str) -> tuple[str, int]:
    if not isinstance(item, dict):
        raise ManifestInvalid(f"The manifest's {where} is not a descriptor.")
    digest, size = item.get("digest"), item.get("size")
    if not isinstance(digest, str) or not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63:
        raise ManifestInvalid(f"A descriptor in the manifest's {where} has no proper digest and size.")
    try:
        return str(parse_digest(digest)), size
    except DigestInvalid as error:
        raise ManifestInvalid(error.text) from error


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ManifestInvalid(f"The manifest's {name} is not a list.")
    return value


def _text(document: Any, name: str) -> str:
    value = document.get(name, "") if isinstance(document, dict) else ""
    if not isinstance(value, str) or len(value) > LONGEST_MEDIA_TYPE:
        raise ManifestInvalid(f"The manifest's {name} is not text of at most {LONGEST_MEDIA_TYPE} characters.")
    return value


def _annotations(document: Mapping[str, Any]) -> Mapping[str, str]:
    value = document.get("annotations")
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ManifestInvalid("The manifest's annotations are not texts by name.")
    return value
