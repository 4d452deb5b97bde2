"""podman and buildah, which keep images in the same kind of storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.clients.client import Copy
from tests.images import Image, Index, archive_contents, build_image, pack
from tests.programs import Shell

PLAIN = "--tls-verify=false"


@dataclass(frozen=True)
class Podman:
    login_refusal: ClassVar[str | None] = "invalid username/password"

    shell: Shell
    registry: str
    program: Path

    def login(self, username: str, password: str) -> None:
        self.run("login", PLAIN, "--username", username, "--password-stdin", self.registry, stdin=password)

    def logout(self) -> None:
        self.run("logout", self.registry)

    def push(self, repository: str, tag: str, seed: str) -> Copy:
        return self.push_image(build_image(self.shell.home / seed, seed), repository, tag)

    def push_image(self, image: Image, repository: str, tag: str) -> Copy:
        archive = pack(image, self.shell.home / "image.tar")
        name = self.run("pull", "--quiet", f"oci-archive:{archive}").split()[-1]
        archive.unlink()
        file = self.shell.home / "digest"
        self.run("push", PLAIN, "--digestfile", file, name, self.reference(repository, tag), timeout=240)
        self.run("rmi", "--force", name)
        return Copy(file.read_text().strip(), image.contents)

    def pull(self, repository: str, tag: str) -> Copy:
        return self._pull(repository, tag)

    def push_index(self, index: Index, repository: str, tag: str) -> str:
        """Make a manifest list of the images and push it with all of them."""
        file = self.shell.home / "digest"
        self.run("manifest", "create", "several")
        for image in index.images:
            self.run("manifest", "add", "several", f"oci:{image.layout}")
        target = self.reference(repository, tag)
        self.run("manifest", "push", PLAIN, "--all", "--digestfile", file, "several", target)
        return file.read_text().strip()

    def pull_index(self, repository: str, tag: str, architectures: Sequence[str]) -> list[tuple[str, ...]]:
        return [self._pull(repository, tag, "--arch", each).contents for each in architectures]

    def reference(self, repository: str, tag: str) -> str:
        return f"docker://{self.registry}/{repository}:{tag}"

    def _pull(self, repository: str, tag: str, *options: str) -> Copy:
        printed = self.run("pull", PLAIN, "--quiet", *options, self.reference(repository, tag), timeout=240)
        name = printed.split()[-1]
        digest = self.digest(name)
        archive = self.shell.directory() / "saved.tar"
        self.run("push", "--quiet", name, f"docker-archive:{archive}")
        self.run("rmi", "--force", name)
        return Copy(digest, archive_contents(archive))

    def digest(self, name: str) -> str:
        return self.run("image", "inspect", "--format", "{{.Digest}}", name).strip()

    def run(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        home = self.shell.home
        storage = ("--root", home / "root", "--runroot", home / "runroot", "--storage-driver", "vfs")
        return self.shell.run(self.program, *storage, *arguments, stdin=stdin, timeout=timeout)


@dataclass(frozen=True)
class Buildah(Podman):
    def digest(self, name: str) -> str:
        return self.run("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", name).strip()
