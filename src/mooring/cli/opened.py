"""The database and store that a command works on, opened and closed."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mooring.assembly import Parts, assemble
from mooring.cluster import identity
from mooring.database.schema import require_served
from mooring.errors import ConfigurationError
from mooring.settings import load


def operator() -> str:
    """Who types, for the audit log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return f"{name} (command line)"


@contextmanager
def opened(config: Path | None, data: Path | None) -> Iterator[Parts]:
    settings = load(config, data=data)
    if not settings.database_is_shared and not settings.database_path.exists():
        raise ConfigurationError(
            f"There is no database {settings.database_path}. Give --data the directory of your registry; "
            "`mooring serve` makes a new one."
        )
    parts = assemble(settings)
    try:
        parts.database.read_now(require_served)
        parts.database.read_now(identity.require_master_key, parts.master_key)
        yield parts
    finally:
        parts.store.close()
        parts.database.close()
