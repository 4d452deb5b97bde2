"""Tokens made by hand: right ones, and every way in which one can be wrong."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from mooring.access.keyring import SigningKey
from tests.http.site import Site

Signer = Callable[[bytes], bytes]

AUDIENCE: Final = "mooring"
ISSUER: Final = "mooring"


def claims(now: int, **changes: Any) -> dict[str, Any]:
    """Those of an administrator's token at a time in seconds; a change to None takes one away."""
    made = {
        "iss": ISSUER,
        "sub": "admin",
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "jti": "made-by-hand",
        "access": [
            {"type": "repository", "name": "closed/app", "actions": ["pull", "push", "delete"]},
            {"type": "registry", "name": "catalog", "actions": ["*"]},
        ],
        "mooring": {"subject": "user:1"},
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def signed(site: Site, header: Mapping[str, Any] = {}, signer: Signer | None = None, **changes: Any) -> str:
    """By the registry's own key unless another signer is given. A header of None is left out."""
    key = site.parts.keys.keyring.signer
    made = claims(site.parts.clock.seconds(), **changes)
    return token(key.kid, made, signer or es256(private_key(key)), header)


def token(kid: str, claims: Mapping[str, Any], signer: Signer, header: Mapping[str, Any]) -> str:
    whole = {"alg": "ES256", "typ": "JWT", "kid": kid, **header}
    head = {name: value for name, value in whole.items() if value is not None}
    return compact(head, json.dumps(claims).encode(), signer)


def compact(header: Mapping[str, Any] | bytes, payload: bytes, signer: Signer) -> str:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = f"{encode(head)}.{encode(payload)}"
    return f"{signing_input}.{encode(signer(signing_input.encode()))}"


def private_key(key: SigningKey) -> ec.EllipticCurvePrivateKey:
    found = key.key.private_key
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    return found


def es256(key: ec.EllipticCurvePrivateKey) -> Signer:
    def sign(content: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def es256_in_der(key: ec.EllipticCurvePrivateKey) -> Signer:
    return lambda content: key.sign(content, ec.ECDSA(hashes.SHA256()))


def hs256(secret: bytes) -> Signer:
    def sign(content: bytes) -> bytes:
        code = hmac.HMAC(secret, hashes.SHA256())
        code.update(content)
        return code.finalize()

    return sign


def unsigned(_content: bytes) -> bytes:
    return b""


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified."""
    head, body, _ = token.split(".")
    return _part(head), _part(body)


def _part(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found
