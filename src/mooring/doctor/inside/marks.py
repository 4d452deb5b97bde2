"""Secrets made comparable and nothing else: each is replaced by a hash under a key that is thrown away."""

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mooring.doctor.observations import Value
from mooring.errors import ConfigurationError

SHORTEST_KEY: Final = 16

PLAIN: Final = frozenset(
    {
        "CACHE_ENABLED", "CACHE_EXPIRE_HOURS", "CONFIG_PATH", "CORE_LOCAL_URL", "CORE_URL", "DATABASE_TYPE",
        "EXT_ENDPOINT", "INTERNAL_TLS_ENABLED", "JOBSERVICE_URL", "KEY_PATH", "LOG_LEVEL", "PORT", "PORTAL_URL",
        "POSTGRESQL_DATABASE", "POSTGRESQL_HOST", "POSTGRESQL_MAX_IDLE_CONNS", "POSTGRESQL_MAX_OPEN_CONNS",
        "POSTGRESQL_PORT", "POSTGRESQL_SSLMODE", "POSTGRESQL_USERNAME", "QUOTA_UPDATE_PROVIDER", "READ_ONLY",
        "REGISTRY_CONTROLLER_URL", "REGISTRY_CREDENTIAL_USERNAME", "REGISTRY_STORAGE_PROVIDER_NAME", "REGISTRY_URL",
        "TOKEN_PRIVATE_KEY_PATH", "TOKEN_SERVICE_URL",
    }
)  # fmt: skip
"""Settings of Harbor that hold no secret; of all others only the hash is kept."""

ADDRESSES: Final = frozenset({"_REDIS_URL_CORE", "_REDIS_URL_HARBOR", "_REDIS_URL_REG", "_REDIS_URL_CACHE_LAYER"})
"""Addresses with a password in them: shown without it."""


@dataclass(frozen=True)
class Marker:
    """Marks are equal when secrets are, for one key."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def id(self) -> str:
        return self.of("which key is this")

    def of(self, secret: str | bytes) -> str:
        content = secret.encode() if isinstance(secret, str) else secret
        return hmac.new(self.key, content, sha256).hexdigest()[:16]

    def value(self, name: str, secret: str) -> Value:
        plain = secret if name in PLAIN else without_password(secret) if name in ADDRESSES else None
        return Value(self.of(secret), plain, len(secret))


def marker(path: Path | None) -> Marker:
    """With a key of its own, or one from a file, for files collected on several machines. Raises ConfigurationError."""
    if path is None:
        return Marker()
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    if len(key) < SHORTEST_KEY:
        raise ConfigurationError(f"{path} is too short for a key: {SHORTEST_KEY} bytes are the least.")
    return Marker(key)


def without_password(url: str) -> str:
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{netloc}{parts.path}"
