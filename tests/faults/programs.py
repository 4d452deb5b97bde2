"""skopeo and the Docker engine, pushing and pulling as people's pipelines do."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.clients import engine
from tests.clients.client import Copy, shell_in
from tests.clients.docker import Docker
from tests.clients.skopeo import Skopeo
from tests.faults.load import Acknowledged
from tests.faults.tally import Outcome
from tests.images import build_image
from tests.programs import Refused, Shell, find

REFUSAL: Final = re.compile(
    r"unauthorized|denied|authentication required|(manifest|blob|name|upload) unknown|not found"
    r"|(status|code|response|HTTP)\D{0,20}40[134]\b|\b40[134] (Unauthorized|Forbidden|Not Found)",
    re.IGNORECASE,
)
"""How programs tell of a 401, 403 or 404."""

SIZE: Final = 8192
LARGE: Final = 6 << 20
LARGE_EACH: Final = 12
RETRIES: Final = "5"


@dataclass
class Real:
    """One program with a directory and a repository of its own."""

    name: str
    client: Skopeo | Docker
    repository: str
    rounds: int = 0
    sent: Copy | None = None
    tag: str = ""
    _made: list[Path] = field(default_factory=list)

    def push(self, number: int) -> Acknowledged:
        self._clean()
        self.rounds += 1
        self.tag = f"v{number}"
        layout = self.client.shell.home / f"image-{number}"
        size = LARGE if self.rounds % LARGE_EACH == 0 else SIZE
        image = build_image(layout, f"{self.name}-{number}", size=size)
        self._made.append(layout)
        self.sent = self.client.push_image(image, self.repository, self.tag)
        return Acknowledged(self.repository, self.tag, self.sent.digest)

    def pull_back(self) -> bool:
        received = self.client.pull(self.repository, self.tag)
        return received == self.sent

    def outcome(self, error: Exception) -> Outcome:
        if not isinstance(error, Refused):
            raise error
        return Outcome.REFUSED if REFUSAL.search(error.output) else Outcome.FAILED

    def _clean(self) -> None:
        for made in [*self._made, *self.client.shell.home.glob("tmp*")]:
            if made.name != "tmp":
                shutil.rmtree(made, ignore_errors=True)
        self._made.clear()


@dataclass(frozen=True)
class PatientSkopeo(Skopeo):
    """With the option that its own manual gives for registries that are away at times."""

    def run(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        verb, *others = arguments
        retries = ("--retry-times", RETRIES) if verb == "copy" else ()
        return super().run(verb, *retries, *others, stdin=stdin, timeout=timeout)


@contextlib.contextmanager
def running(address: str, username: str, password: str) -> Iterator[list[Real]]:
    """Both programs, logged in. Skips where one is missing, saying how to get it."""
    with tempfile.TemporaryDirectory(prefix="mooring-", ignore_cleanup_errors=True) as home, engine.running() as docker:
        clients = [
            Real("skopeo", skopeo(shell_in(Path(home) / "skopeo", address), address), "library/by-skopeo"),
            Real(
                "docker",
                Docker(shell_in(Path(home) / "docker", address), address, docker),
                "library/by-docker",
            ),
        ]
        for real in clients:
            real.client.login(username, password)
        yield clients


def skopeo(shell: Shell, address: str) -> PatientSkopeo:
    return PatientSkopeo(shell, address, find("skopeo"))
