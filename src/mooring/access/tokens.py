"""Access tokens: JWTs signed by the keyring, found by `kid` and by nothing else.

The algorithm is the key's own; a token's `alg` must only agree, and `jwk`, `x5c` and `jku` are never looked at
(CVE-2025-24976 in distribution is what happens otherwise).
"""

import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError

from mooring.access.keyring import ALGORITHM, Keyring, SigningKey
from mooring.access.scopes import Scope
from mooring.refusals import Reason, Refused

ISSUER = "mooring"
LEEWAY_SECONDS = 60
LONGEST = 16 * 1024
SEEN_IN_HEADER: Sequence[str] = ("kid", "alg")
SEEN_CLAIMS: Sequence[str] = ("iss", "aud", "sub", "iat", "nbf", "exp")
MOST_SEEN = 20


@dataclass(frozen=True)
class AccessToken:
    """What a verified token says. Times are seconds since the epoch, cluster time."""

    subject: str
    """`user:ID`, `robot:ID`, or empty for nobody."""
    name: str
    scopes: tuple[Scope, ...]
    expires_at: int

    def grants(self, name: str, action: str, type_: str = "repository") -> bool:
        return any(scope.name == name and scope.type == type_ and action in scope.actions for scope in self.scopes)


def issue(
    keyring: Keyring, *, subject: str, name: str, audience: str, scopes: Sequence[Scope], now: int, life: int
) -> str:
    signer = keyring.signer
    claims = {
        "iss": ISSUER,
        "sub": name,
        "aud": audience,
        "iat": now,
        "nbf": now,
        "exp": now + life,
        "jti": secrets.token_urlsafe(16),
        "access": [scope.claim() for scope in scopes],
        "mooring": {"subject": subject},
    }
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": signer.kid}
    return jwt.encode(header, claims, signer.key, algorithms=[ALGORITHM])


def key_id(token: str) -> str:
    """The `kid` in a token's header. Raises Refused(malformed)."""
    header = token.partition(".")[0]
    try:
        kid = json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(Reason.MALFORMED) from error
    if not isinstance(kid, str) or len(token) > LONGEST:
        raise Refused(Reason.MALFORMED)
    return kid


def seen(token: str) -> dict[str, Any]:
    """What a token says of itself, believed or not: never its signature. Empty where it can't be read."""
    parts = token[:LONGEST].split(".")
    header, claims = (_read(part) for part in (*parts, "", "")[:2])
    told = {name: header[name] for name in SEEN_IN_HEADER if name in header}
    told |= {name: claims[name] for name in SEEN_CLAIMS if name in claims}
    access = claims.get("access")
    entries = [each for each in access if isinstance(each, dict)] if isinstance(access, list) else []
    return {**told, "granted": [_scope(each) for each in entries[:MOST_SEEN]]} if told else {}


def verify(token: str, key: SigningKey, *, audience: str, now: int) -> AccessToken:
    """Raises Refused with the reason."""
    try:
        claims = jwt.decode(token, key.key, algorithms=[ALGORITHM]).claims
    except BadSignatureError as error:
        raise Refused(Reason.BAD_SIGNATURE) from error
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise Refused(Reason.MALFORMED) from error
    if claims.get("iss") != ISSUER:
        raise _refused(Reason.WRONG_ISSUER, claims)
    if claims.get("aud") != audience:
        raise _refused(Reason.WRONG_AUDIENCE, claims)
    try:
        return _checked(claims, now)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(Reason.MALFORMED) from error


def _checked(claims: dict[str, Any], now: int) -> AccessToken:
    if now > claims["exp"] + LEEWAY_SECONDS:
        raise _refused(Reason.EXPIRED, claims)
    if now < claims["nbf"] - LEEWAY_SECONDS:
        raise _refused(Reason.NOT_YET_VALID, claims)
    scopes = tuple(Scope(item["type"], item["name"], tuple(item["actions"])) for item in claims["access"])
    return AccessToken(claims["mooring"]["subject"], claims["sub"], scopes, claims["exp"])


def _refused(reason: Reason, claims: dict[str, Any]) -> Refused:
    """Of a token that one of our keys signed: its subject is the one that it was given to."""
    return Refused(reason, subject=str(claims.get("sub", "")))


def _read(part: str) -> dict[str, Any]:
    """Empty where it can't be."""
    try:
        found = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _scope(entry: dict[str, Any]) -> str:
    actions = entry.get("actions")
    shown = ",".join(map(str, actions)) if isinstance(actions, list) else ""
    return f"{entry.get('type', '')}:{entry.get('name', '')}:{shown}"
