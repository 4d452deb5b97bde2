"""Whose credentials a command uses: given on the command line, in variables, or kept by docker."""

import binascii
import json
import os
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

HELPER_SECONDS: Final = 15


@dataclass(frozen=True)
class Credentials:
    name: str
    password: str
    source: str
    """Where they were found, for a person: never the password."""

    def __repr__(self) -> str:
        return f"Credentials({self.name!r}, from {self.source})"

    @property
    def header(self) -> str:
        return "Basic " + b64encode(f"{self.name}:{self.password}".encode()).decode()


def from_environment(prefix: str, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """`{prefix}_USERNAME` and `{prefix}_PASSWORD`."""
    name, password = environment.get(f"{prefix}_USERNAME", ""), environment.get(f"{prefix}_PASSWORD", "")
    return Credentials(name, password, f"{prefix}_USERNAME") if name else None


def from_docker(url: str, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """What `docker login` keeps for a registry, in its file or by its helper program; None where there is nothing."""
    directory = Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    names = _names(url)
    helpers = config.get("credHelpers") or {}
    for name in names:
        helper = helpers.get(name) or (config.get("credsStore") if name in (config.get("auths") or {}) else None)
        if helper and (found := _from_helper(str(helper), name)):
            return found
        entry = (config.get("auths") or {}).get(name)
        if isinstance(entry, dict) and (found := _from_entry(entry, directory)):
            return found
    return None


def _names(url: str) -> tuple[str, ...]:
    """How docker may have written a registry down."""
    netloc = urlsplit(url).netloc.rpartition("@")[2]
    return (netloc, f"https://{netloc}", f"http://{netloc}", f"https://{netloc}/v2/", f"https://{netloc}/")


def _from_entry(entry: Mapping[str, Any], directory: Path) -> Credentials | None:
    try:
        name, _, password = b64decode(str(entry.get("auth", ""))).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Credentials(name, password, f"docker's {directory / 'config.json'}") if name and password else None


def _from_helper(helper: str, name: str) -> Credentials | None:
    if "/" in helper:
        return None
    program = f"docker-credential-{helper}"
    try:
        # The program that docker itself would run, by the user's own file; no shell reads the name.
        done = subprocess.run(  # noqa: S603
            [program, "get"], input=name, capture_output=True, text=True, timeout=HELPER_SECONDS, check=True
        )
        found = json.loads(done.stdout)
        user, secret = str(found.get("Username", "")), str(found.get("Secret", ""))
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError):
        return None
    # An identity token is no password, and nobody but its issuer may see it.
    return Credentials(user, secret, program) if user and user != "<token>" else None
