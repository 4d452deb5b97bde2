"""skopeo."""

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

PLAIN = "--tls-verify=false"


@dataclass(frozen=True)
class Skopeo:
    login_refusal: ClassVar[str | None] = "invalid username/password"

    shell: Shell
    registry: str
    skopeo: Path

    def login(self, username: str, password: str) -> None:
        self.run("login", PLAIN, "--username", username, "--password-stdin", self.registry, stdin=password)

    def logout(self) -> None:
        self.run("logout", self.registry)

    def push(self, repository: str, tag: str, seed: str) -> Copy:
        return self.push_image(build_image(self.shell.home / seed, seed), repository, tag)

    def push_image(self, image: Image, repository: str, tag: str) -> Copy:
        return Copy(self._push(image.layout, repository, tag), image.contents)

    def pull(self, repository: str, tag: str) -> Copy:
        layout = self._pull(repository, tag)
        manifest = layout_manifest(layout)
        return Copy(digest_of(manifest), layout_contents(layout, manifest))

    def push_index(self, index: Index, repository: str, tag: str) -> str:
        return self._push(index.layout, repository, tag, "--all")

    def pull_index(self, repository: str, tag: str, architectures: Sequence[str]) -> list[tuple[str, ...]]:
        layout = self._pull(repository, tag, "--all")
        digests = index_digests(layout_manifest(layout))
        return [layout_contents(layout, layout_blob(layout, digests[each])) for each in architectures]

    def delete(self, repository: str, reference: str) -> None:
        """Delete what a tag points at. skopeo asks for its digest and deletes that."""
        self.run("delete", PLAIN, self.reference(repository, reference))

    def reference(self, repository: str, tag: str) -> str:
        return f"docker://{self.registry}/{repository}:{tag}"

    def _push(self, layout: Path, repository: str, tag: str, *options: str) -> str:
        file = self.shell.home / "digest"
        target = self.reference(repository, tag)
        copy = ("copy", "--preserve-digests", "--dest-tls-verify=false", *options)
        self.run(*copy, "--digestfile", file, f"oci:{layout}", target, timeout=240)
        return file.read_text().strip()

    def _pull(self, repository: str, tag: str, *options: str) -> Path:
        layout = self.shell.directory()
        copy = ("copy", "--preserve-digests", "--src-tls-verify=false", *options)
        self.run(*copy, self.reference(repository, tag), f"oci:{layout}:{tag}", timeout=240)
        return layout

    def run(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        return self.shell.run(self.skopeo, *arguments, stdin=stdin, timeout=timeout)
