"""What every client of a registry does, in the same words for all of them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from tests.images import Image, Index
from tests.programs import Refused, Shell


@dataclass(frozen=True)
class Copy:
    """What a client sent or received, as the client itself tells.

    `digest` is its manifest's. `contents` are the digests of the layers or files a person gets, in order,
    uncompressed, and after a pull worked out from the bytes that the client wrote.
    """

    digest: str
    contents: tuple[str, ...]


class Client(Protocol):
    """A program that pushes to a registry. Every method raises Refused when the program fails."""

    registry: str
    login_refusal: ClassVar[str | None]
    """What the program says when a login is refused, where it keeps the registry's own words from people."""

    def login(self, username: str, password: str) -> None: ...

    def logout(self) -> None: ...

    def push(self, repository: str, tag: str, seed: str) -> Copy:
        """Make something of this client's kind out of a seed and push it to `project/path`."""
        ...

    def pull(self, repository: str, tag: str) -> Copy: ...


class ImageClient(Client, Protocol):
    """A client that pushes whole images."""

    def push_image(self, image: Image, repository: str, tag: str) -> Copy: ...


class IndexClient(Client, Protocol):
    """A client that pushes and pulls an image for several architectures."""

    def push_index(self, index: Index, repository: str, tag: str) -> str:
        """Push the index with all its images, and return its digest."""
        ...

    def pull_index(self, repository: str, tag: str, architectures: Sequence[str]) -> list[tuple[str, ...]]:
        """Pull the image of each architecture and return their contents."""
        ...


class Deleter(Client, Protocol):
    """A client with a command that deletes."""

    def delete(self, repository: str, reference: str) -> None: ...


def refusal(act: Callable[[], object]) -> str:
    """What a person reads when a client is refused."""
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.output


def shell_in(home: Path, registry: str) -> Shell:
    """A shell for clients that knows nothing of its user's own settings, and leaves nothing among them."""
    directories = {
        "HOME": home,
        "TMPDIR": home / "tmp",
        "XDG_RUNTIME_DIR": home / "run",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
        "XDG_DATA_HOME": home / "data",
        "DOCKER_CONFIG": home / "docker",
    }
    for directory in directories.values():
        directory.mkdir(parents=True, exist_ok=True)
    containers = home / "registries.conf"
    (home / "docker" / "config.json").write_text("{}")
    containers.write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "CONTAINERS_REGISTRIES_CONF": str(containers),
        "HELM_REGISTRY_CONFIG": str(home / "helm.json"),
        "COSIGN_PASSWORD": "",
    }
    return Shell(home, environment | {name: str(path) for name, path in directories.items()})
