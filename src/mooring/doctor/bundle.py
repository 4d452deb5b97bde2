"""Observations as a file, to be looked at away from where they were made."""

from pathlib import Path
from typing import Any, Final

import msgspec

from mooring.doctor.observations import Observations
from mooring.errors import ConfigurationError

FORMAT: Final = "mooring-doctor-bundle"
VERSION: Final = 2


class Bundle(msgspec.Struct, frozen=True):
    format: str
    version: int
    observations: Observations


def encode(seen: Observations) -> bytes:
    return msgspec.json.format(msgspec.json.encode(Bundle(FORMAT, VERSION, seen)), indent=1) + b"\n"


def decode(content: bytes) -> Observations:
    """Raises ConfigurationError for what is no bundle, or one of a later version."""
    try:
        head: Any = msgspec.json.decode(content)
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise ConfigurationError("This is no file of `mooring doctor collect`.")
        if head.get("version") != VERSION:
            raise ConfigurationError(
                f"This bundle has the version {head.get('version')}; this Mooring reads {VERSION}."
            )
        return msgspec.json.decode(content, type=Bundle).observations
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"This bundle is damaged: {error}") from error


def write(path: Path, seen: Observations) -> None:
    """Readable for its owner alone: there are no secrets in it, but names and addresses. Raises ConfigurationError."""
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(encode(seen))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from error


def read(path: Path) -> Observations:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
