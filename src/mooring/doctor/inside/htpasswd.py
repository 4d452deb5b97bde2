"""The password file of a registry, and whether it takes what a core shows it."""

from collections.abc import Iterable

import bcrypt


def tried(passwd: bytes | None, shown: Iterable[tuple[str, str, str]]) -> tuple[list[str], list[str]]:
    """Of cores, each with the name and password that it shows: those that are taken, and those that are refused."""
    taken: list[str] = []
    refused: list[str] = []
    if passwd is not None:
        content = passwd.decode("utf-8", "replace")
        for core, name, password in shown:
            (taken if accepts(content, name, password) else refused).append(core)
    return taken, refused


def accepts(content: str, name: str, password: str) -> bool:
    """Distribution takes bcrypt alone (its documentation, `auth.htpasswd`)."""
    for line in content.splitlines():
        known, _, stored = line.strip().partition(":")
        if known != name or not stored.startswith("$2"):
            continue
        try:
            if bcrypt.checkpw(password.encode()[:72], stored.encode()):
                return True
        except ValueError:
            continue
    return False
