"""A way to the S3 server that goes wrong on demand: slow, failing one request in ten, away.

Runs as a process of its own: `python -m tests.faults.gateway PORT UPSTREAM`, told on standard input how to behave.
"""

import asyncio
import contextlib
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests import programs
from tests.server import HOST, free_port

SLOW_SECONDS = (0.2, 1.5)
ONE_IN = 10
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "expect", "content-encoding")
SLOW_DOWN = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
START_SECONDS = 30.0


class Mood(StrEnum):
    GOOD = "good"
    SLOW = "slow"
    FAILING = "failing"
    """One request in ten: refused with 503, done but never answered, or answered half."""
    AWAY = "away"
    """Every connection is closed at once."""


@dataclass(frozen=True)
class Gateway:
    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def turn(self, mood: Mood) -> None:
        _pipe(self.process.stdin).write(f"{mood}\n")
        _pipe(self.process.stdin).flush()


@contextlib.contextmanager
def running(upstream: str) -> Iterator[Gateway]:
    port = free_port()
    command = [sys.executable, "-m", "tests.faults.gateway", str(port), upstream]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, cwd=programs.ROOT)
    try:
        _wait(process, port)
        yield Gateway(port, process)
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[str], port: int) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            direct.open(f"http://{HOST}:{port}{Passage.HEALTH}", timeout=2).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError("the gateway to the store did not start") from None
            time.sleep(0.05)


class Passage:
    """Sends each request on as it came, signature and all, as its mood allows."""

    HEALTH = "/.gateway"

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self._upstream = upstream
        self._session = session
        self.mood = Mood.GOOD

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == self.HEALTH:
            return web.Response()
        if self.mood is Mood.AWAY:
            return _dropped(request)
        if self.mood is Mood.SLOW:
            await asyncio.sleep(random.uniform(*SLOW_SECONDS))
        failing = self.mood is Mood.FAILING and random.randrange(ONE_IN) == 0
        answer = random.choice((self._refuse, self._unanswered, self._halved)) if failing else self._pass
        try:
            return await answer(request)
        except (aiohttp.ClientError, OSError):
            # Either side has gone, such as a replica that was killed.
            return _dropped(request)

    async def _refuse(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=503, text=SLOW_DOWN, content_type="application/xml")

    async def _unanswered(self, request: web.Request) -> web.StreamResponse:
        async with self._asked(request) as answer:
            await answer.read()
        return _dropped(request)

    async def _halved(self, request: web.Request) -> web.StreamResponse:
        async with self._asked(request) as answer:
            body = await answer.read()
            sent = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            await sent.prepare(request)
            await sent.write(body[: len(body) // 2])
        return _dropped(request)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        async with self._asked(request) as answer:
            sent = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            await sent.prepare(request)
            if request.method != "HEAD":
                async for piece in answer.content.iter_chunked(1 << 16):
                    await sent.write(piece)
            await sent.write_eof()
            return sent

    def _asked(self, request: web.Request) -> "aiohttp.client._RequestContextManager":
        return self._session.request(
            request.method,
            URL(self._upstream + request.raw_path, encoded=True),
            headers=_kept(request.headers),
            data=request.content if request.body_exists else None,
            allow_redirects=False,
        )


def _kept(headers: "aiohttp.typedefs.LooseHeaders") -> "CIMultiDict[str]":
    return CIMultiDict((name, value) for name, value in CIMultiDict(headers).items() if name.lower() not in HOP_BY_HOP)


def _dropped(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


async def serve(port: int, upstream: str) -> None:
    untouched = aiohttp.ClientSession(
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
    )
    async with untouched as session:
        passage = Passage(upstream, session)
        # an application and not a bare server: it answers `Expect: 100-continue`, which S3's clients send
        application = web.Application(client_max_size=0)
        application.router.add_route("*", "/{path:.*}", passage.handle)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, port).start()
        while line := await asyncio.to_thread(sys.stdin.readline):
            passage.mood = Mood(line.strip())


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
