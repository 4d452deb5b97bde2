"""Where a measured Mooring keeps what it holds: a directory with SQLite, or PostgreSQL and an S3 server."""

import base64
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.registries import Missing
from tests import postgresql, programs, s3

KINDS: Final = ("embedded", "shared")


@dataclass(frozen=True)
class Place:
    """`settings` are `MOORING_` variables without their prefix; the rest is what runs beside Mooring."""

    told: str
    settings: dict[str, str]
    database: postgresql.PostgreSQL | None = None
    store: s3.S3 | None = None


@contextmanager
def place(kind: str, directory: Path) -> Iterator[Place]:
    """Raises Missing where a program is not installed."""
    if kind == "embedded":
        yield Place("SQLite and a directory", {})
        return
    if programs.locate("initdb") is None:
        raise Missing("`apt-get install postgresql`")
    with ExitStack() as running:
        database = running.enter_context(postgresql.running())
        store = running.enter_context(s3.versitygw()) if programs.locate("versitygw") else None
        given = {
            "DATABASE_URL": database.create(),
            "MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
            "STORE": store.url(store.create()) if store else f"file://{directory}/objects",
        }
        if store:
            # Credentials reach a store by the usual chain, which begins with the environment.
            os.environ.update(store.environment)
        yield Place(f"PostgreSQL and {'versitygw' if store else 'a directory'}", given, database, store)
