"""What a token says, read without judging it: who signed it, for whom, from when to when."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from mooring.doctor.observations import Token
from mooring.doctor.shapes import mapping, number, sequence, word


def decoded(body: bytes) -> tuple[str | None, Token | None]:
    """The token in an answer of a token endpoint, and its claims; None for what can't be read."""
    try:
        found = json.loads(body)
        token = found.get("token") or found.get("access_token")
        head, claims, _ = token.split(".")
        return token, claims_of(_part(head), _part(claims))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None, None


def claims_of(head: Mapping[str, Any], claims: Mapping[str, Any]) -> Token:
    access: dict[str, tuple[str, ...]] = {}
    for entry in map(mapping, sequence(claims.get("access"))):
        if entry.get("type") == "repository":
            access[word(entry.get("name"))] = tuple(map(word, sequence(entry.get("actions"))))
    return Token(
        kid=word(head.get("kid")),
        algorithm=word(head.get("alg")),
        issuer=word(claims.get("iss")),
        subject=word(claims.get("sub")),
        issued_at=number(claims.get("iat")),
        not_before=number(claims.get("nbf")),
        expires_at=number(claims.get("exp")),
        access=access,
    )


def _part(text: str) -> dict[str, Any]:
    found = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found
