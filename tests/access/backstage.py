"""The data of a server that runs, seen from this process: its keys to forge with, its rows to change."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from mooring.access import keyring
from mooring.access.keyring import Keyring, SigningKey
from mooring.cluster.clock import SECOND, Clock
from mooring.cluster.master_key import MasterKey, master_key
from mooring.database.sqlite import SQLite
from mooring.settings import load
from tests.access import forgery
from tests.access.forgery import Signer, es256, private_key

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Backstage:
    database: SQLite
    clock: Clock
    sealing: MasterKey

    @property
    def ring(self) -> Keyring:
        return self.database.read_now(keyring.load, self.sealing)

    @property
    def key(self) -> SigningKey:
        return self.ring.signer

    @property
    def now(self) -> int:
        return self.clock.now()

    def write(self, transaction: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.database.write_now(transaction, *args, **kwargs)

    def read(self, transaction: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.database.read_now(transaction, *args, **kwargs)

    def token(
        self, signer: Signer | None = None, *, kid: str = "", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """An administrator's, signed by the server's own key; whatever is given replaces a part of it."""
        key = self.ring.keys[kid] if kid else self.key
        made = forgery.claims(self.now // SECOND, **claims)
        return forgery.token(key.kid, made, signer or es256(private_key(key)), header or {})


@contextmanager
def backstage(data: Path) -> Iterator[Backstage]:
    settings = load(data=data)
    database = SQLite(settings.database_path)
    try:
        yield Backstage(database, Clock(database), master_key(settings, create=False))
    finally:
        database.close()


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll. Fails when the condition does not hold in time."""

    async def poll() -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    try:
        asyncio.run(poll())
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
