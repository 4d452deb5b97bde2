"""A registry's rows in any number: repositories of small images, and one repository that holds a tenth of them all."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bench.content import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, digest_of

LARGE: Final = "library/large"
SHARED: Final = 10
"""So many images of a repository have one layer together."""
BATCH: Final = 10_000
PAGE: Final = 100
CONFIG_BYTES: Final = 1500

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]
COLUMNS: Final = {
    "repositories": ("id", "project_id", "name", "description", "pull_count", "created_at", "updated_at"),
    "blobs": ("digest", "object_key", "size", "created_at"),
    "repository_blobs": ("repository_id", "digest", "linked_at"),
    "manifests": (
        *("id", "repository_id", "digest", "media_type", "artifact_type", "config_media_type", "annotations"),
        *("size", "total_size", "pushed_by", "pushed_at", "body"),
    ),
    "manifest_references": ("manifest_id", "digest", "repository_id", "kind", "required"),
    "tags": ("id", "repository_id", "name", "manifest_id", "pushed_at"),
}
"""In the order in which rows may be inserted."""


@dataclass(frozen=True)
class Size:
    manifests: int
    repositories: int

    @property
    def large(self) -> int:
        """Images of the large repository, and so its tags."""
        return self.manifests // 10

    def repository(self, number: int) -> int:
        """Where an image belongs: the first tenth to the large repository, the rest spread over the others."""
        return 1 if number < self.large else 2 + number % (self.repositories - 1)

    def layer(self, number: int) -> bytes:
        if number < self.large:
            return b"layer %d of the large one" % (number // SHARED)
        others = self.repositories - 1
        return b"layer %d of %d" % (number // others // SHARED, number % others)


def name_of(repository: int) -> str:
    return LARGE if repository == 1 else f"library/app-{repository:06}"


def tag_of(number: int) -> str:
    return f"v{number:07}"


def configuration(number: int) -> bytes:
    """Of an image: as long as those of small images are."""
    told = b'{"architecture":"amd64","os":"linux","author":"image %d","config":{"Env":["PATH=/usr/bin"]}}' % number
    return told.ljust(CONFIG_BYTES)


def shown(size: Size) -> Iterator[tuple[str, bytes]]:
    """Objects of the configurations on the first and the last page of the large repository, by their keys."""
    for number in {*range(min(PAGE, size.large)), *range(max(0, size.large - PAGE), size.large)}:
        content = configuration(number)
        yield object_key(digest_of(content)), content


def object_key(digest: str) -> str:
    return digest[7:39]


def batches(size: Size, project_id: int, now: int) -> Iterator[Rows]:
    """`now` in microseconds. Manifests are true ones: their digests are those of their bytes."""
    known: set[int] = set()
    layers: set[str] = set()
    for start in range(0, size.manifests, BATCH):
        rows: Rows = defaultdict(list)
        for number in range(start, min(start + BATCH, size.manifests)):
            repository = size.repository(number)
            if repository not in known:
                known.add(repository)
                made = _moment(now, number)
                rows["repositories"].append((repository, project_id, name_of(repository), "", 0, made, made))
            _add_image(rows, layers, number, repository, digest_of(size.layer(number)), now)
        yield rows


def _moment(now: int, number: int) -> int:
    """A second apart, so that lists by time have an order."""
    return now + number * 1_000_000


def _add_image(rows: Rows, layers: set[str], number: int, repository: int, layer: str, now: int) -> None:
    config = digest_of(configuration(number))
    body = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": config, "size": CONFIG_BYTES},
            "layers": [{"mediaType": LAYER_TYPE, "digest": layer, "size": 30_000_000}],
        }
    ).encode()
    blobs = [(config, CONFIG_BYTES)]
    if layer not in layers:
        layers.add(layer)
        blobs.append((layer, 30_000_000))
    for digest, length in blobs:
        rows["blobs"].append((digest, object_key(digest), length, now))
        rows["repository_blobs"].append((repository, digest, now))
    identity = number + 1
    kinds = (MANIFEST_TYPE, "", CONFIG_TYPE, "{}")
    total = len(body) + 30_000_000 + CONFIG_BYTES
    pushed = _moment(now, number)
    digest = digest_of(body)
    rows["manifests"].append((identity, repository, digest, *kinds, len(body), total, "admin", pushed, body))
    for each in (config, layer):
        rows["manifest_references"].append((identity, each, repository, "blob", True))
    rows["tags"].append((identity, repository, tag_of(number), identity, pushed))
