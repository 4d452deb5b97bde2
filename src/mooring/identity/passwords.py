"""People's passwords by argon2id, in threads and few at a time; a check that was just made is not made again."""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2
REMEMBERED_SECONDS = 60.0
REMEMBERED = 10_000
LONGEST = 1024

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's parameters for argon2id: a quarter of the memory of the library's own, which each worker would hold twice."""

_DUMMY = _hasher.hash(secrets.token_hex(16))
"""Checked when there is no such account, so that the time taken does not tell."""


def hash_password(password: str) -> str:
    return _hasher.hash(password)


class PasswordChecker:
    """Remembers for a minute what each password turned out to be, under a key that only this process has.

    The stored hash is part of what is remembered, so a changed password takes effect at once.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")

    async def matches(self, password: str, password_hash: str | None, account: str = "") -> bool:
        """Whether the password fits the hash; None stands for an account that does not exist.

        What is remembered is told apart by account: otherwise a quick answer would say that an account is not there.
        """
        if len(password) > LONGEST:
            return False
        name = self._name(account, password, password_hash or "")
        known = self._recall(name)
        if known is not None:
            return known
        fits = await asyncio.shield(self._running.get(name) or self._start(name, password, password_hash))
        self._remember(name, fits)
        return fits

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, hash_password, password)

    def _start(self, name: bytes, password: str, password_hash: str | None) -> "asyncio.Future[bool]":
        """One check for all who ask the same at once, as the jobs of a pipeline do."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, _verify, password, password_hash)
        self._running[name] = running
        running.add_done_callback(lambda _: self._running.pop(name, None))
        return running

    def _name(self, account: str, password: str, password_hash: str) -> bytes:
        asked = f"{account}\0{password_hash}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, asked, hashlib.sha256)

    def _recall(self, name: bytes) -> bool | None:
        found = self._remembered.get(name)
        if found is None or found[0] < time.monotonic():
            return None
        return found[1]

    def _remember(self, name: bytes, fits: bool) -> None:
        self._remembered[name] = (time.monotonic() + REMEMBERED_SECONDS, fits)
        self._remembered.move_to_end(name)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)


def _verify(password: str, password_hash: str | None) -> bool:
    try:
        _hasher.verify(password_hash or _DUMMY, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None
