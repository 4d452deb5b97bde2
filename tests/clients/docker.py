"""The Docker engine, driven by its command."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.clients.client import Copy
from tests.clients.engine import Engine
from tests.images import Image, Index, archive_contents, build_image, pack
from tests.programs import Shell


@dataclass(frozen=True)
class Docker:
    login_refusal: ClassVar[str | None] = None

    shell: Shell
    registry: str
    engine: Engine

    def login(self, username: str, password: str) -> None:
        self.run("login", "--username", username, "--password-stdin", self.registry, stdin=password)

    def logout(self) -> None:
        self.run("logout", self.registry)

    def push(self, repository: str, tag: str, seed: str) -> Copy:
        return self.push_image(build_image(self.shell.home / seed, seed), repository, tag)

    def push_image(self, image: Image, repository: str, tag: str) -> Copy:
        reference = self.reference(repository, tag)
        self.load(image, reference)
        try:
            printed = self.run("push", reference, timeout=240)
        finally:
            self.run("rmi", "--force", reference)
        return Copy(_digest(printed), image.contents)

    def pull(self, repository: str, tag: str, *options: str) -> Copy:
        reference = self.reference(repository, tag)
        printed = self.run("pull", *options, reference, timeout=240)
        archive = self.shell.home / "saved.tar"
        self.run("save", "--output", archive, reference)
        self.run("rmi", "--force", reference)
        return Copy(_digest(printed), archive_contents(archive))

    def load(self, image: Image, reference: str) -> None:
        """Put an image into the engine under a name."""
        archive = pack(image, self.shell.home / "image.tar")
        printed = self.run("load", "--input", archive)
        archive.unlink()
        self.run("tag", printed.rpartition("Loaded image ID: ")[2].strip(), reference)

    def push_index(self, index: Index, repository: str, tag: str) -> str:
        """Push each image under a tag of its own, then what `docker manifest` makes of them."""
        reference = self.reference(repository, tag)
        parts = [self.reference(repository, f"{tag}-{image.architecture}") for image in index.images]
        for image, part in zip(index.images, parts, strict=True):
            self.push_image(image, repository, part.rpartition(":")[2])
        self.run("manifest", "create", "--insecure", reference, *parts)
        return self.run("manifest", "push", "--insecure", "--purge", reference).split()[-1]

    def pull_index(self, repository: str, tag: str, architectures: Sequence[str]) -> list[tuple[str, ...]]:
        return [self.pull(repository, tag, "--platform", f"linux/{each}").contents for each in architectures]

    def reference(self, repository: str, tag: str) -> str:
        return f"{self.registry}/{repository}:{tag}"

    def run(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        return self.shell.run(
            self.engine.docker, "--host", self.engine.socket, *arguments, stdin=stdin, timeout=timeout
        )


def _digest(printed: str) -> str:
    found = re.search(r"[Dd]igest: (sha256:[0-9a-f]{64})", printed)
    assert found, f"no digest in what docker printed:\n{printed}"
    return found[1]
