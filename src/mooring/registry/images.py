"""What an image's configuration says of it: its platform, author and defaults (image-spec, config.md)."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from mooring.database.rows import among
from mooring.registry.kinds import IMAGE_CONFIGS
from mooring.registry.tables import blobs, manifests, repository_blobs
from mooring.storage import ObjectMissing, Store

LARGEST_MANIFEST = 64 * 1024
LARGEST_CONFIG = 64 * 1024
REMEMBERED = 1000
TOLD = {
    "architecture": str,
    "os": str,
    "os.version": str,
    "variant": str,
    "author": str,
    "created": str,
    "config": dict,
}


@dataclass(frozen=True)
class ImageConfig:
    digest: str
    object_key: str
    size: int


class _Descriptor(msgspec.Struct):
    digest: str


class _Image(msgspec.Struct):
    config: _Descriptor


def configs_of(connection: Connection, manifest_ids: Sequence[int]) -> Mapping[int, ImageConfig]:
    """Of those that are images; large ones are left out, as nobody waits for them."""
    query = select(manifests.c.id, manifests.c.repository_id, manifests.c.body).where(
        among(connection, manifests.c.id, manifest_ids),
        manifests.c.config_media_type.in_(IMAGE_CONFIGS),
        manifests.c.size <= LARGEST_MANIFEST,
    )
    digests: dict[int, tuple[int, str]] = {}
    for manifest_id, repository_id, body in connection.execute(query):
        digests[manifest_id] = (repository_id, msgspec.json.decode(body, type=_Image).config.digest)
    found = (
        select(repository_blobs.c.repository_id, blobs.c.digest, blobs.c.object_key, blobs.c.size)
        .join(blobs, blobs.c.digest == repository_blobs.c.digest)
        .where(
            repository_blobs.c.repository_id.in_({repository for repository, _ in digests.values()}),
            among(connection, repository_blobs.c.digest, {digest for _, digest in digests.values()}),
            blobs.c.size <= LARGEST_CONFIG,
        )
    )
    known = {
        (repository, digest): ImageConfig(digest, key, size)
        for repository, digest, key, size in connection.execute(found)
    }
    return {manifest_id: known[where] for manifest_id, where in digests.items() if where in known}


class Images:
    """Reads configurations from the store. Remembers what the last ones said: content of a digest never changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._remembered: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    async def attributes(self, config: ImageConfig) -> Mapping[str, Any]:
        """Empty where it can't be read."""
        known = self._remembered.get(config.digest)
        if known is None:
            try:
                chunks = [chunk async for chunk in self._store.read(config.object_key, 0, config.size)]
            except ObjectMissing:
                return {}
            known = _attributes(b"".join(chunks))
            self._remembered[config.digest] = known
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return known


def _attributes(body: bytes) -> Mapping[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {name: document[name] for name, kind in TOLD.items() if isinstance(document.get(name), kind)}
