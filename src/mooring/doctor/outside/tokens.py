"""What a token says, read without judging it: who signed it, for whom, from when to when."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from mooring.doctor.observations import Token


def decoded(body: bytes) -> tuple[str | None, Token | None]:
    """The token in an answer of a token endpoint, and its claims; None for what can't be read."""
    try:
        found = json.loads(body)
        token = found.get("token") or found.get("access_token")
        head, claims, _ = token.split(".")
        return token, claims_of(_part(head), _part(claims))
    except (ValueError, AttributeError, TypeError):
        return None, None


def claims_of(head: Mapping[str, Any], claims: Mapping[str, Any]) -> Token:
    access: dict[str, tuple[str, ...]] = {}
    for entry in claims.get("access") or ():
        if isinstance(entry, dict) and entry.get("type") == "repository":
            access[str(entry.get("name"))] = tuple(str(action) for action in entry.get("actions") or ())
    return Token(
        kid=str(head.get("kid", "")),
        algorithm=str(head.get("alg", "")),
        issuer=str(claims.get("iss", "")),
        subject=str(claims.get("sub") or ""),
        issued_at=float(claims.get("iat") or 0),
        not_before=float(claims.get("nbf") or 0),
        expires_at=float(claims.get("exp") or 0),
        access=access,
    )


def _part(text: str) -> dict[str, Any]:
    found = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found
