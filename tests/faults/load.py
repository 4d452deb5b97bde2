"""Pushes and pulls that go on while faults come and go. What was acknowledged is read back and compared."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator

import aiohttp

from tests.faults.protocol import Client, GaveUp, Pushed, Refused
from tests.faults.tally import Outcome, Tally

WRITERS = 6
READERS = 3
KEPT = 2000


class Load:
    def __init__(self, url: str, username: str, password: str, tally: Tally) -> None:
        self._url = url
        self._username = username
        self._password = password
        self._tally = tally
        self._numbers = itertools.count()
        self._kept: list[Pushed] = []
        self._ended = asyncio.Event()

    @contextlib.asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(self._write())
            for _ in range(READERS):
                tasks.create_task(self._read())
            try:
                yield
            finally:
                self._ended.set()

    async def read_all_back(self) -> None:
        """At the end, with every fault gone: each acknowledged push is there, whole."""
        async with self._session() as session:
            client = self._client(session)
            for pushed in self._kept:
                await self._check(client, pushed, last=True)

    async def _write(self) -> None:
        async with self._session() as session:
            client = self._client(session)
            while not self._ended.is_set():
                number = next(self._numbers)
                began = time.monotonic()
                try:
                    pushed = await client.push(f"library/load-{number % 7}", f"v{number}", f"seed-{number}")
                except Refused as error:
                    self._tally.note(Outcome.REFUSED, began, str(error))
                except GaveUp as error:
                    self._tally.note(Outcome.FAILED, began, str(error))
                else:
                    self._tally.note(Outcome.DONE, began)
                    if len(self._kept) < KEPT:
                        self._kept.append(pushed)

    async def _read(self) -> None:
        async with self._session() as session:
            client = self._client(session)
            while not self._ended.is_set():
                if self._kept:
                    await self._check(client, random.choice(self._kept))
                else:
                    await asyncio.sleep(0.05)

    async def _check(self, client: Client, pushed: Pushed, *, last: bool = False) -> None:
        began = time.monotonic()
        try:
            manifest, blobs = await client.pull(pushed)
        except Refused as error:
            # Reading back an acknowledged push: not found is lost, whatever the reason.
            lost = last or " 404 " in str(error)
            self._tally.note(Outcome.LOST if lost else Outcome.REFUSED, began, str(error))
        except GaveUp as error:
            self._tally.note(Outcome.LOST if last else Outcome.FAILED, began, str(error))
        else:
            whole = manifest == pushed.manifest and blobs == pushed.blobs
            self._tally.note(Outcome.DONE if whole else Outcome.CORRUPT, began, pushed.digest)

    def _client(self, session: aiohttp.ClientSession) -> Client:
        return Client(self._url, self._username, self._password, session)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=4))
