"""Whose credentials a command uses: given on the command line, in variables, or kept by docker."""

import json
import os
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

HELPER_SECONDS: Final = 15
NAMELESS: Final = "<token>"
"""The user name under which docker's helpers keep an identity token."""


@dataclass(frozen=True)
class Credentials:
    name: str
    password: str
    source: str
    """Where they were found, for a person: never the password."""
    identity: bool = False
    """Whether `password` is an identity token: what docker keeps of a login where the registry gave it one. It is shown
    to the token endpoint alone, as a refresh token."""

    def __repr__(self) -> str:
        return f"Credentials({self.name!r}, from {self.source})"

    @property
    def header(self) -> str | None:
        if self.identity:
            return None
        return "Basic " + b64encode(f"{self.name}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class TokenRequest:
    """How a token is asked for at the address of a token endpoint."""

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes | None


def token_request(credentials: Credentials | None, service: str, scopes: Iterable[str]) -> TokenRequest:
    """As docker asks: by GET, or by POST with a refresh token (distribution, "Authenticate with OAuth2")."""
    if credentials is None or not credentials.identity:
        query = urlencode([("service", service), *(("scope", scope) for scope in scopes)])
        header = credentials.header if credentials else None
        return TokenRequest("GET", f"?{query}", {"authorization": header} if header else {}, None)
    form = {
        "grant_type": "refresh_token",
        "service": service,
        "client_id": "mooring",
        "scope": " ".join(scopes),
        "refresh_token": credentials.password,
    }
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return TokenRequest("POST", "", kind, urlencode(form).encode())


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
    given = (config.get(part) for part in ("credHelpers", "auths"))
    helpers, logins = (part if isinstance(part, dict) else {} for part in given)
    for name in _names(url):
        helper = helpers.get(name) or (config.get("credsStore") if name in logins else None)
        if helper and (found := _from_helper(str(helper), name)):
            return found
        entry = logins.get(name)
        if isinstance(entry, dict) and (found := _from_entry(entry, directory)):
            return found
    return None


def _names(url: str) -> tuple[str, ...]:
    """How docker may have written a registry down."""
    netloc = urlsplit(url).netloc.rpartition("@")[2]
    return (netloc, f"https://{netloc}", f"http://{netloc}", f"https://{netloc}/v2/", f"https://{netloc}/")


def _from_entry(entry: Mapping[str, Any], directory: Path) -> Credentials | None:
    source = f"docker's {directory / 'config.json'}"
    try:
        name, _, password = b64decode(str(entry.get("auth", ""))).decode().partition(":")
    except ValueError:
        return None
    if token := entry.get("identitytoken"):
        return Credentials(name or NAMELESS, str(token), source, identity=True)
    return Credentials(name, password, source) if name and password else None


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
    return Credentials(user, secret, program, identity=user == NAMELESS) if user and secret else None
