"""The master key: seals what the database must not show, and proves that a replica was given the right one."""

import base64
import binascii
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from mooring.errors import ConfigurationError, Foreign
from mooring.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12
CHECK = b"mooring master key check"


class MasterKey:
    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, secret: bytes, purpose: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Raises ConfigurationError when it was sealed with another key or for another purpose."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
        except InvalidTag as error:
            raise Foreign(
                "The master key is not the one that this database was made with. Give the right one "
                "(MOORING_MASTER_KEY, MOORING_MASTER_KEY_FILE or master.key in the data directory)."
            ) from error

    def check_value(self) -> bytes:
        return self.seal(CHECK, "check")

    def require(self, check_value: bytes) -> None:
        self.open(check_value, "check")


def master_key(settings: Settings, *, create: bool) -> MasterKey:
    """The key that the settings give, or the one in the data directory; made there with the database, never later."""
    if settings.master_key is not None and settings.master_key_file is not None:
        raise ConfigurationError("Give MOORING_MASTER_KEY or MOORING_MASTER_KEY_FILE, not both.")
    if settings.master_key is not None:
        return MasterKey(_decoded(settings.master_key.get_secret_value(), "MOORING_MASTER_KEY"))
    if settings.master_key_file is not None:
        return MasterKey(_read(settings.master_key_file))
    assert not settings.database_is_shared
    path = settings.data / "master.key"
    if create and not path.exists():
        _create(path)
    return MasterKey(_read(path))


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
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


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
