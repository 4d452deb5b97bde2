"""The file that a core signs tokens with, judged as Harbor would, and named as Harbor names it."""

import hashlib
from base64 import b32encode
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mooring.doctor.observations import KeyFile

PKCS1: Final = b"-----BEGIN RSA PRIVATE KEY-----"


def judged(path: str, content: bytes | None) -> KeyFile:
    """`content` is None for a file that is not there. Harbor signs with RSA in PKCS#1 only."""
    if content is None:
        return KeyFile(path, "missing")
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return KeyFile(path, "damaged", detail=str(error).partition(".")[0][:120])
    if not isinstance(key, rsa.RSAPrivateKey):
        return KeyFile(path, "not_rsa", detail=type(key).__name__)
    return KeyFile(path, "good" if PKCS1 in content else "pkcs8", kid=libtrust_id(key.public_key()))


def libtrust_id(key: rsa.RSAPublicKey) -> str:
    """SHA-256 of the public key's DER, its first 240 bits in Base32 by fours (docker/libtrust, `KeyID`)."""
    public = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = b32encode(hashlib.sha256(public).digest()[:30]).decode()
    return ":".join(text[at : at + 4] for at in range(0, len(text), 4))
