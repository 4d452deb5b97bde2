"""The password file of a registry, and whether it takes what a core shows it."""

import bcrypt


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
