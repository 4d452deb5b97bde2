"""helm, which pushes charts: a repository's last part is the chart's name, a tag its version."""

import gzip
import io
import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.clients.client import Copy
from tests.images import digest_of_file
from tests.programs import Shell

PLAIN = "--plain-http"


@dataclass(frozen=True)
class Helm:
    login_refusal: ClassVar[str | None] = None

    shell: Shell
    registry: str
    helm: Path

    def login(self, username: str, password: str) -> None:
        arguments = (PLAIN, "--username", username, "--password-stdin", self.registry)
        self.run("registry", "login", *arguments, stdin=password)

    def logout(self) -> None:
        self.run("registry", "logout", self.registry)

    def push(self, repository: str, tag: str, seed: str) -> Copy:
        parent, _, name = repository.rpartition("/")
        chart = build_chart(self.shell.home, name, tag, seed)
        printed = self.run("push", PLAIN, chart, f"oci://{self.registry}/{parent}")
        return Copy(_digest(printed), (digest_of_file(chart),))

    def pull(self, repository: str, tag: str) -> Copy:
        directory = self.shell.directory()
        target = ("--version", tag, "--destination", directory)
        printed = self.run("pull", PLAIN, f"oci://{self.registry}/{repository}", *target)
        return Copy(_digest(printed), tuple(digest_of_file(path) for path in directory.iterdir()))

    def run(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        """Run helm and return all it printed: digests are on its standard error."""
        return self.shell.run(self.helm, *arguments, stdin=stdin, merged=True, timeout=timeout)


def build_chart(directory: Path, name: str, version: str, seed: str) -> Path:
    """Write a chart of one template."""
    files = {
        "Chart.yaml": json.dumps({"apiVersion": "v2", "name": name, "version": version}),
        "values.yaml": json.dumps({"seed": seed}),
        "templates/map.yaml": json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}}),
    }
    path = directory / f"{name}-{version}.tgz"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{file}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
    return path


def _digest(printed: str) -> str:
    found = re.search(r"Digest: (sha256:[0-9a-f]{64})", printed)
    assert found, f"no digest in what helm printed:\n{printed}"
    return found[1]
