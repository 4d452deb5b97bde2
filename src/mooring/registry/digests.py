"""Digests of content: `algorithm:hex`, sha256 and sha512 (image-spec, descriptor.md)."""

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from mooring.errors import DigestInvalid

LENGTHS = {"sha256": 64, "sha512": 128}
HEXADECIMAL = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Digest:
    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...

    def copy(self) -> "Hash": ...


def parse_digest(text: str) -> Digest:
    """Raises DigestInvalid."""
    algorithm, _, value = text.partition(":")
    if LENGTHS.get(algorithm) != len(value) or not HEXADECIMAL.fullmatch(value):
        raise DigestInvalid(f"This is not a digest: {text[:140]!r}. Give sha256: or sha512: and lower-case hex.")
    return Digest(algorithm, value)


def require_algorithm(name: str) -> str:
    """Raises DigestInvalid."""
    if name not in LENGTHS:
        raise DigestInvalid(f"The digest algorithm {name[:40]!r} is not supported; sha256 and sha512 are.")
    return name


def new_hash(algorithm: str) -> Hash:
    return hashlib.new(algorithm)


def digest_of(content: bytes, algorithm: str = "sha256") -> Digest:
    return Digest(algorithm, hashlib.new(algorithm, content).hexdigest())
