"""The keyring as this process holds it: loaded from the database, and again when a token names an unknown key."""

import asyncio
import time

from mooring.access import keyring
from mooring.access.keyring import SIGNING_SECONDS, Keyring, SigningKey
from mooring.cluster.clock import SECOND, monotonic
from mooring.cluster.master_key import MasterKey
from mooring.database import Database
from mooring.errors import Unavailable
from mooring.refusals import Reason, Refused

RELOAD_SECONDS = 0.2
"""Unknown keys make at most one reload in this time; a flood of made-up `kid`s costs five reads a second."""


class KeyHolder:
    def __init__(self, database: Database, master_key: MasterKey) -> None:
        self._database = database
        self._master_key = master_key
        self._keyring = Keyring({})
        self._reloading = asyncio.Lock()
        self._reloaded_at = float("-inf")
        self._loaded_at = float("-inf")

    @property
    def keyring(self) -> Keyring:
        return self._keyring

    async def reload(self) -> Keyring:
        asked_at = monotonic()
        self._keyring = await self._database.read(keyring.load, self._master_key)
        self._loaded_at = asked_at
        return self._keyring

    async def signing(self) -> Keyring:
        """The keyring to sign with: never one that slept. Raises Unavailable before there is an active key."""
        if monotonic() - self._loaded_at > SIGNING_SECONDS * SECOND:
            await self.reload()
        if not self._keyring.signs:
            raise Unavailable("There is no active signing key yet.")
        return self._keyring

    async def find(self, kid: str) -> SigningKey:
        """Raises Refused(unknown_kid)."""
        found = self._keyring.keys.get(kid)
        if found is None:
            await self._reload_once()
            found = self._keyring.keys.get(kid)
        if found is None:
            raise Refused(Reason.UNKNOWN_KID)
        return found

    async def _reload_once(self) -> None:
        asked_at = time.monotonic()
        async with self._reloading:
            # Whoever waited for another's reload that began after asking needs none of its own.
            if self._reloaded_at >= asked_at:
                return
            wait = self._reloaded_at + RELOAD_SECONDS - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            started_at = time.monotonic()
            await self.reload()
            self._reloaded_at = started_at
