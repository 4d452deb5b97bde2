"""Lines in Harbor's logs that are known to mean something."""

import re
from dataclasses import dataclass
from typing import Final

from mooring.doctor.findings import Confidence


@dataclass(frozen=True)
class Signature:
    id: str
    cause: str
    pattern: re.Pattern[str]
    confidence: Confidence = "likely"
    least: int = 1
    """Fewer say nothing: everybody mistypes a password now and then."""


def _signature(name: str, cause: str, pattern: str, confidence: Confidence = "likely", least: int = 1) -> Signature:
    return Signature(name, cause, re.compile(pattern), confidence, least)


SIGNATURES: Final = (
    _signature("verification", "RC1", r"crypto/rsa: verification error"),
    _signature(
        "key-file",
        "RC1",
        r"failed to read private key|Key must be a PEM encoded PKCS1 or PKCS8|unable to get PrivateKey from PEM type",
        "certain",
    ),
    _signature("not-valid-yet", "RC2", r"token is not valid yet"),
    _signature("before-project", "RC3", r"bearer token issued at .* is before project .* creation time", "certain"),
    _signature("locked", "RC4", r"is locked due to login failure", "certain"),
    _signature("locking", "RC4", r"Login failed, locking (?!robot\$)(?P<who>\S+),", "possible", 10),
    _signature(
        "directory",
        "RC5",
        r'LDAP Result Code 200 "Network Error"|LDAP Result Code 5[12]\b|failed to refresh token|'
        r"failed to populate ldap group",
    ),
    _signature(
        "redis",
        "RC6",
        r"failed to get auth mode|failed to set accepted blob size for session|"
        r"(?:redis|dial tcp \S+:(?:6379|26379)).*(?:connection refused|i/o timeout|no such host)",
    ),
    _signature(
        "database",
        "RC7",
        r"too many clients|remaining connection slots|returning empty access for it|failed to list roles|"
        r"failed to connect to `host=",
    ),
    _signature("read-only-database", "RC8", r"in a read-only transaction|conflict with recovery"),
    _signature(
        "registry-credential",
        "RC9",
        r'error authenticating user \\?"harbor_registry_user|invalid authorization credential',
    ),
    _signature("expired", "RC12", r"token is expired"),
    _signature("mount", "RC13", r"failed to get project \S+ for token validation: project \S+ not found"),
    _signature("upload-secret", "RC14", r"invalid secret"),
    _signature(
        "job-secret", "RC15", r"Authorization should start with 'Harbor-Secret'|[Uu]nauthorized.*jobservice secret"
    ),
    _signature("secret-key", "RC17", r"decrypt password failed|invalid key size \d+", "certain"),
    _signature("robot", "RC18", r"failed to authenticate robot account|robot account .*(?:expired|disabled)"),
    _signature("robot-locking", "RC18", r"Login failed, locking (?P<who>robot\$\S+),", "likely", 3),
    _signature("proxy-store", "RC19", r"Failed to push blob to local repo.*(?:401|[Uu]nauthorized)", "certain"),
    _signature("panic", "RC23", r"pbkdf2\.Key|nil pointer dereference.*pbkdf2", "certain"),
    _signature("ports", "RC24", r"cannot assign requested address", "certain"),
)

BY_ID: Final = {signature.id: signature for signature in SIGNATURES}
