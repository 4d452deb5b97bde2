"""crane, and with it what else is built on go-containerregistry."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.clients.client import Copy
from tests.images import (
    Image,
    Index,
    build_image,
    digest_of,
    index_digests,
    layout_blob,
    layout_contents,
    layout_manifest,
)
from tests.programs import Shell


@dataclass(frozen=True)
class Crane:
    login_refusal: ClassVar[str | None] = None

    shell: Shell
    registry: str
    crane: Path

    def login(self, username: str, password: str) -> None:
        """Write the credentials down. crane tries them only with the next request."""
        self.run("auth", "login", self.registry, "--username", username, "--password-stdin", stdin=password)

    def logout(self) -> None:
        self.run("auth", "logout", self.registry)

    def push(self, repository: str, tag: str, seed: str) -> Copy:
        return self.push_image(build_image(self.shell.home / seed, seed), repository, tag)

    def push_image(self, image: Image, repository: str, tag: str) -> Copy:
        printed = self.run("push", image.layout, self.reference(repository, tag), timeout=240)
        return Copy(printed.strip().rpartition("@")[2], image.contents)

    def pull(self, repository: str, tag: str) -> Copy:
        layout = self._pull(repository, tag)
        manifest = layout_manifest(layout)
        return Copy(digest_of(manifest), layout_contents(layout, manifest))

    def push_index(self, index: Index, repository: str, tag: str) -> str:
        printed = self.run("push", index.layout, self.reference(repository, tag))
        return printed.strip().rpartition("@")[2]

    def pull_index(self, repository: str, tag: str, architectures: Sequence[str]) -> list[tuple[str, ...]]:
        layout = self._pull(repository, tag)
        digests = index_digests(layout_manifest(layout))
        return [layout_contents(layout, layout_blob(layout, digests[each])) for each in architectures]

    def delete(self, repository: str, reference: str) -> None:
        self.run("delete", self.reference(repository, reference))

    def reference(self, repository: str, tag: str) -> str:
        separator = "@" if tag.startswith("sha256:") else ":"
        return f"{self.registry}/{repository}{separator}{tag}"

    def _pull(self, repository: str, tag: str) -> Path:
        layout = self.shell.directory()
        self.run("pull", "--format", "oci", self.reference(repository, tag), layout, timeout=240)
        return layout

    def run(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        return self.shell.run(self.crane, *arguments, stdin=stdin, timeout=timeout)
