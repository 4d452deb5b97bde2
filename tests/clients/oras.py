"""oras, which pushes files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.clients.client import Copy
from tests.images import digest_of, digest_of_file, noise
from tests.programs import Shell

PLAIN = "--plain-http"


@dataclass(frozen=True)
class Oras:
    login_refusal: ClassVar[str | None] = None

    shell: Shell
    registry: str
    oras: Path

    def login(self, username: str, password: str) -> None:
        self.run("login", PLAIN, "--username", username, "--password-stdin", self.registry, stdin=password)

    def logout(self) -> None:
        self.run("logout", self.registry)

    def push(self, repository: str, tag: str, seed: str) -> Copy:
        bodies = {f"{number}.bin": noise(f"{seed}-{number}", 4096) for number in range(3)}
        for name, body in bodies.items():
            (self.shell.home / name).write_bytes(body)
        kind = ("--artifact-type", "application/vnd.example.cargo")
        pushed = self.json("push", PLAIN, *kind, self.reference(repository, tag), *bodies)
        return Copy(pushed["digest"], tuple(digest_of(body) for body in bodies.values()))

    def pull(self, repository: str, tag: str) -> Copy:
        directory = self.shell.directory()
        pulled = self.json("pull", PLAIN, "--output", directory, self.reference(repository, tag))
        contents = tuple(digest_of_file(path) for path in sorted(directory.iterdir()))
        return Copy(pulled["reference"].rpartition("@")[2], contents)

    def delete(self, repository: str, reference: str) -> None:
        self.run("manifest", "delete", PLAIN, "--force", self.reference(repository, reference))

    def reference(self, repository: str, tag: str) -> str:
        separator = "@" if tag.startswith("sha256:") else ":"
        return f"{self.registry}/{repository}{separator}{tag}"

    def json(self, command: str, *arguments: str | Path) -> Any:
        return json.loads(self.run(command, "--format", "json", *arguments))

    def run(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        return self.shell.run(self.oras, *arguments, stdin=stdin, timeout=timeout)
