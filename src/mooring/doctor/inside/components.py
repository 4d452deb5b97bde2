"""Which part of a Harbor a container is, by its image and its name."""

from collections.abc import Mapping
from typing import Final

from mooring.doctor.observations import Component

IMAGES: Final[Mapping[str, Component]] = {
    "harbor-core": "core",
    "harbor-jobservice": "jobservice",
    "harbor-registryctl": "registryctl",
    "registry-photon": "registry",
    "harbor-registry": "registry",
}
"""By a part of the image's name; the first that fits."""
NAMES: Final[Mapping[str, Component]] = {component: component for component in IMAGES.values()}


def component(image: str, name: str) -> Component:
    """The image says it, else the name."""
    return next((found for part, found in IMAGES.items() if part in image), NAMES.get(name, "other"))


def version(image: str) -> str:
    """Of `HOST:PORT/NAME:TAG@DIGEST` the tag, with the digest where there is one; empty where there is neither."""
    return image.rpartition("/")[2].partition(":")[2]
