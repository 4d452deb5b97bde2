"""Pushes and pulls that go on while faults come and go. What was acknowledged is read back and compared."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp

from tests.faults.protocol import Client, GaveUp, Pushed, Refused, digest_of, digests_in
from tests.faults.tally import Outcome, Row, Tally

OURS: Final = "our client"
WRITERS: Final = 4
READERS: Final = 2
REPOSITORIES: Final = 7
PAUSE_SECONDS: Final = 0.4
"""Between two operations of one client: the machine shall be busy, not swamped."""
SMALL, LARGE = 20_000, 6_000_000
LARGE_EACH: Final = 40
"""Every so many pushes one is large: more than one part of an S3 object, in pieces that meet different replicas."""

Compare = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Acknowledged:
    """A push by a real program. Its manifest has this digest, and names all else by digest."""

    repository: str
    tag: str
    digest: str


class Program(Protocol):
    """A real client. Each of its operations is tried once: what it retries is its own affair."""

    name: str

    def push(self, number: int) -> Acknowledged:
        """Raises programs.Refused."""
        ...

    def pull_back(self) -> bool:
        """Pull what was pushed last; answers whether it came back the same. Raises programs.Refused."""
        ...

    def outcome(self, error: Exception) -> Outcome: ...


class Load:
    def __init__(self, url: str, username: str, password: str, tally: Tally, programs: Sequence[Program] = ()) -> None:
        self._url = url
        self._username = username
        self._password = password
        self._programs = programs
        self._numbers = itertools.count()
        self._ended = asyncio.Event()
        self.tally = tally
        self.kept: list[Pushed] = []
        self.acknowledged: list[Acknowledged] = []

    @contextlib.asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(self._write())
            for _ in range(READERS):
                tasks.create_task(self._read())
            for program in self._programs:
                tasks.create_task(self._drive(program))
            try:
                yield
            finally:
                self._ended.set()

    async def push(self, client: Client, row: Row, name: str, repository: str, tag: str, size: int) -> None:
        began = time.monotonic()
        try:
            pushed = await client.push(repository, tag, f"{repository}-{tag}", size=size)
        except Refused as error:
            row.note(name, Outcome.REFUSED, began, str(error))
        except GaveUp as error:
            row.note(name, Outcome.FAILED, began, str(error))
        else:
            row.note(name, Outcome.DONE, began)
            self.kept.append(pushed)

    async def read_all_back(self) -> None:
        """At the end, with every fault gone: each acknowledged push is there, whole."""
        async with asyncio.TaskGroup() as tasks:
            for each in range(WRITERS):
                tasks.create_task(self._read_part_back(self.kept[each::WRITERS], self.acknowledged[each::WRITERS]))

    async def _read_part_back(self, kept: Sequence[Pushed], acknowledged: Sequence[Acknowledged]) -> None:
        async with self.session() as session:
            client = self.client(session)
            for pushed in kept:
                await self._check(client, pushed, last=True)
            for push in acknowledged:
                await self._verify(client, push)

    async def _write(self) -> None:
        async with self.session() as session:
            client = self.client(session)
            while not self._ended.is_set():
                number = next(self._numbers)
                client.pieces = 1 + number % 3
                size = LARGE if number % LARGE_EACH == LARGE_EACH - 1 else SMALL
                repository = f"library/load-{number % REPOSITORIES}"
                await self.push(client, self.tally.current, OURS, repository, f"v{number}", size)
                await self._rest()

    async def _read(self) -> None:
        async with self.session() as session:
            client = self.client(session)
            while not self._ended.is_set():
                if self.kept:
                    await self._check(client, random.choice(self.kept))
                await self._rest()

    async def _check(self, client: Client, pushed: Pushed, *, last: bool = False) -> None:
        async def compare() -> bool:
            manifest, blobs = await client.pull(pushed)
            return manifest == pushed.manifest and blobs == pushed.blobs

        await self._read_back(compare, f"{pushed.repository}:{pushed.tag}", last=last)

    async def _verify(self, client: Client, push: Acknowledged) -> None:
        """What a program pushed, by its digests: that they fit is that every byte does."""

        async def verify() -> bool:
            manifest = await client.manifest(push.repository, push.tag)
            blobs = {digest: await client.blob(push.repository, digest) for digest in digests_in(manifest)}
            whole = all(digest_of(content) == digest for digest, content in blobs.items())
            return whole and digest_of(manifest) == push.digest

        await self._read_back(verify, f"{push.repository}:{push.tag}", last=True)

    async def _read_back(self, compare: Compare, what: str, *, last: bool) -> None:
        row, began = self.tally.current, time.monotonic()
        try:
            whole = await compare()
        except Refused as error:
            # Reading back what was acknowledged: not found is lost.
            lost = last or " 404 " in str(error)
            row.note(OURS, Outcome.LOST if lost else Outcome.REFUSED, began, str(error))
        except GaveUp as error:
            row.note(OURS, Outcome.LOST if last else Outcome.FAILED, began, str(error))
        else:
            row.note(OURS, Outcome.DONE if whole else Outcome.CORRUPT, began, what)

    async def _drive(self, program: Program) -> None:
        while not self._ended.is_set():
            row, began = self.tally.current, time.monotonic()
            try:
                self.acknowledged.append(await asyncio.to_thread(program.push, next(self._numbers)))
                row.note(program.name, Outcome.DONE, began)
                row, began = self.tally.current, time.monotonic()
                same = await asyncio.to_thread(program.pull_back)
                row.note(program.name, Outcome.DONE if same else Outcome.CORRUPT, began, "other bytes")
            except Exception as error:  # noqa: BLE001 - whatever a program does is an outcome
                row.note(program.name, program.outcome(error), began, str(error))
            await self._rest()

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS * random.uniform(0.5, 1.5)):
                await self._ended.wait()

    def client(self, session: aiohttp.ClientSession) -> Client:
        return Client(self._url, self._username, self._password, session)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=4)) as session:
            yield session
