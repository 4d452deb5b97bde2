"""The master key: seals what the database must not show, and proves that a replica was given the right one."""

import base64
import binascii
import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from pydantic import SecretStr

from mooring.errors import ConfigurationError, Foreign
from mooring.settings import Settings
from mooring.storage.files import sync

KEY_BYTES = 32
NONCE_BYTES = 12
CHECK = b"mooring master key check"


class MasterKey:
    """The key, and while it is being replaced the one before it too. What either has sealed can be opened."""

    def __init__(self, key: bytes, previous: bytes | None = None) -> None:
        self._keys = [key] if previous is None or previous == key else [key, previous]

    @property
    def replaces(self) -> bool:
        """Whether a previous key was given."""
        return len(self._keys) > 1

    @property
    def fingerprints(self) -> list[str]:
        """Names for the keys, of which nobody learns them. The current one's is first."""
        return [hashlib.sha256(b"mooring master key fingerprint" + key).hexdigest()[:16] for key in self._keys]

    def seal(self, secret: bytes, purpose: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + ChaCha20Poly1305(self._keys[0]).encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Raises Foreign when it was sealed with another key or for another purpose."""
        for key in self._keys:
            with suppress(InvalidTag):
                return ChaCha20Poly1305(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
        raise _wrong()

    def check_value(self) -> bytes:
        return self.seal(CHECK, "check")

    def require(self, check_value: bytes) -> None:
        self.open(check_value, "check")

    def matching(self, check_value: bytes | None) -> "MasterKey":
        """That one of the keys which all replicas can open: the check value's. Raises Foreign."""
        if check_value is None:
            return MasterKey(self._keys[0])
        for key in self._keys:
            with suppress(Foreign):
                MasterKey(key).require(check_value)
                return MasterKey(key)
        raise _wrong()


def _wrong() -> Foreign:
    return Foreign(
        "The master key is not the one that this database was made with. Give the right one "
        "(MOORING_MASTER_KEY, MOORING_MASTER_KEY_FILE or master.key in the data directory); "
        "while it is being replaced, give the one before it too (MOORING_MASTER_KEY_PREVIOUS)."
    )


def master_key(settings: Settings, *, create: bool) -> MasterKey:
    """The key that the settings give, or the one in the data directory; made there with the database, never later."""
    previous = _given(settings.master_key_previous, settings.master_key_previous_file, "MOORING_MASTER_KEY_PREVIOUS")
    current = _given(settings.master_key, settings.master_key_file, "MOORING_MASTER_KEY")
    if current is None:
        assert not settings.database_is_shared
        path = settings.data / "master.key"
        if create and not path.exists():
            _create(path)
        current = _read(path)
    return MasterKey(current, previous)


def _given(key: SecretStr | None, file: Path | None, name: str) -> bytes | None:
    if key is not None and file is not None:
        raise ConfigurationError(f"Give {name} or {name}_FILE, not both.")
    if key is not None:
        return _decoded(key.get_secret_value(), name)
    return None if file is None else _read(file)


def _create(path: Path) -> None:
    """Written aside and linked into place, so that no crash leaves half a key."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
    sync(path.parent)


def _read(path: Path) -> bytes:
    try:
        return _decoded(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The master key {path} can't be read: {error}.") from error


def _decoded(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(f"The master key in {source} is not base64.") from error
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"The master key in {source} has {len(key)} bytes; {KEY_BYTES} are needed.")
    return key
