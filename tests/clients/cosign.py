"""cosign, which signs."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.clients.client import Copy
from tests.images import Image, build_image, digest_of, layout_contents, layout_manifest
from tests.programs import Shell


@dataclass(frozen=True)
class Cosign:
    login_refusal: ClassVar[str | None] = None

    shell: Shell
    registry: str
    cosign: Path

    def login(self, username: str, password: str) -> None:
        """Write the credentials down. cosign tries them only with the next request."""
        self.run("login", self.registry, "--username", username, "--password-stdin", stdin=password)

    def logout(self) -> None:
        (self.shell.home / "docker" / "config.json").unlink()

    def push(self, repository: str, tag: str, seed: str) -> Copy:
        return self.push_image(build_image(self.shell.home / seed, seed), repository, tag)

    def push_image(self, image: Image, repository: str, tag: str) -> Copy:
        self.run("load", "--dir", image.layout, self.reference(repository, tag))
        return Copy(image.manifest.digest, image.contents)

    def pull(self, repository: str, tag: str) -> Copy:
        layout = self.shell.directory()
        self.run("save", "--dir", layout, self.reference(repository, tag))
        manifest = layout_manifest(layout)
        return Copy(digest_of(manifest), layout_contents(layout, manifest))

    def reference(self, repository: str, tag: str) -> str:
        return f"{self.registry}/{repository}:{tag}"

    def run(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        return self.shell.run(self.cosign, *arguments, stdin=stdin, timeout=timeout)
