"""The programs that tests start, and how to get one that is missing."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT, TimeoutExpired
from subprocess import run as run_process
from typing import Final, NoReturn

import pytest

ROOT: Final = Path(__file__).parents[1]
TOOLS: Final = Path(os.environ.get("MOORING_TOOLS") or ROOT / ".tools") / "bin"
REMEDY: Final = "To get it: "
DEBIAN: Final = {
    "amtool": "prometheus-alertmanager",
    "buildah": "buildah",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "haproxy": "haproxy",
    "initdb": "postgresql",
    "pg_dump": "postgresql-client",
    "pg_restore": "postgresql-client",
    "podman": "podman",
    "postgres": "postgresql",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "promtool": "prometheus",
    "skopeo": "skopeo",
}


class Refused(Exception):
    """A program failed. `output` is all that it printed, as a person reads it."""

    def __init__(self, command: Iterable[str], output: str) -> None:
        self.output = output.strip()
        super().__init__(f"{' '.join(command)}\n{self.output}")


@dataclass(frozen=True)
class Shell:
    """Starts programs whose settings, credentials and caches all stay in one directory."""

    home: Path
    environment: Mapping[str, str]

    def directory(self) -> Path:
        """A new, empty directory."""
        return Path(tempfile.mkdtemp(dir=self.home))

    def run(self, *command: str | Path, stdin: str | None = None, merged: bool = False, timeout: float = 120) -> str:
        """Run a program in `home` and return what it printed on standard output, or with `merged` on both.

        Raises Refused when it exits with anything but 0, or is not done after `timeout` seconds.
        """
        words = [str(word) for word in command]
        try:
            done = run_process(
                words,
                input=stdin or "",
                cwd=self.home,
                env=dict(self.environment),
                stdout=PIPE,
                stderr=STDOUT if merged else PIPE,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except TimeoutExpired as late:
            raise Refused(words, f"not done after {timeout} s: {late.stdout!r} {late.stderr!r}") from late
        if done.returncode:
            raise Refused(words, done.stdout + (done.stderr or ""))
        return done.stdout


def locate(name: str) -> Path | None:
    servers = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    places = [str(TOOLS), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", *servers]
    found = shutil.which(name, path=os.pathsep.join(places))
    return Path(found) if found else None


def find(name: str) -> Path:
    """Where a program is. A test without it skips with one line, or fails where tools are required."""
    path = locate(name)
    if path is None:
        package = f"apt-get install {DEBIAN[name]}" if name in DEBIAN else "tests/tools/go.sh, which needs Go"
        missing(f"{name} is not installed. {REMEDY}make tools ({package})")
    return path


def missing(line: str) -> NoReturn:
    if required():
        pytest.fail(line, pytrace=False)
    pytest.skip(line)


def required() -> bool:
    """Whether a missing program is a failure."""
    return os.environ.get("CI") == "true" or os.environ.get("MOORING_REQUIRE_TOOLS") == "1"
