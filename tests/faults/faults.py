"""The faults, each for a bounded time, each undone at its end."""

import asyncio
import base64
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiohttp

from tests.faults.tally import Row
from tests.replicas.cluster import Cluster
from tests.replicas.replica import Replica
from tests.server import USERNAME

P = ParamSpec("P")
T = TypeVar("T")

Fault = Callable[[Cluster, Row], contextlib.AbstractAsyncContextManager[None]]

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
WALL_CLOCKS = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}
CLOCKS = ("FAKETIME", "FAKETIME_TIMESTAMP_FILE")


@contextlib.asynccontextmanager
async def nothing(_cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    yield


@contextlib.asynccontextmanager
async def keys_rotated(cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    async with _again(5, partial(_off_loop, cluster.mooring, "keys", "rotate")):
        yield


@contextlib.asynccontextmanager
async def clocks_apart(cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    """One replica 2 hours ahead, one behind, one that jumps between them every few seconds."""
    jumping = cluster.directory / "jumping-clock"
    jumping.write_text("+2h")
    clocks = [{"FAKETIME": "+2h"}, {"FAKETIME": "-2h"}, {"FAKETIME_TIMESTAMP_FILE": str(jumping)}]
    for replica, clock in zip(cluster.replicas, clocks, strict=False):
        await _restart(replica, **WALL_CLOCKS, **clock)

    async def jump() -> None:
        jumping.write_text(random.choice(["+2h", "-2h", "+1d", "-9m", "+0"]))

    async with _again(3, jump):
        yield
    for replica in cluster.replicas:
        await _restart(replica)


@contextlib.asynccontextmanager
async def killed(cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    async def strike() -> None:
        replica = random.choice(cluster.replicas)
        await _off_loop(replica.kill)
        await _off_loop(replica.start)

    async with _again(2, strike):
        yield


@contextlib.asynccontextmanager
async def rolling_restart(cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    async def roll() -> None:
        for replica in cluster.replicas:
            await _restart(replica)

    async with _again(1, roll):
        yield


def wrong(name: str, **changes: str) -> Fault:
    """A replica that is not one of the cluster's joins the load balancer."""

    @contextlib.asynccontextmanager
    async def fault(cluster: Cluster, row: Row) -> AsyncIterator[None]:
        replica = cluster.replica(
            name, **{key: value.format(directory=cluster.directory) for key, value in changes.items()}
        )
        await _off_loop(replica.launch)
        row.named = await _off_loop(replica.wait_until_wrong)
        cluster.balancer.point([*cluster.ports(), replica.port])
        try:
            yield
        finally:
            cluster.balancer.point(cluster.ports())
            await _off_loop(replica.kill)

    return fault


def wrong_master_key() -> Fault:
    return wrong("wrong-key", MOORING_MASTER_KEY=base64.b64encode(secrets.token_bytes(32)).decode())


@contextlib.asynccontextmanager
async def database_restarted(cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    async def restart() -> None:
        await _off_loop(cluster.database.stop)
        await _off_loop(cluster.database.start)

    async with _again(6, restart):
        yield


@contextlib.asynccontextmanager
async def database_paused(cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    async def pause() -> None:
        cluster.database.pause()
        try:
            await asyncio.sleep(3)
        finally:
            cluster.database.resume()

    async with _again(4, pause):
        yield


@contextlib.asynccontextmanager
async def connections_cut(cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    """The load balancer dies and comes back: whatever was on its way is dropped half-way."""

    async def cut() -> None:
        await _off_loop(cluster.balancer.cut)

    async with _again(3, cut):
        yield


@contextlib.asynccontextmanager
async def old_password(cluster: Cluster, _row: Row) -> AsyncIterator[None]:
    """Somebody hammers the same account with a password that is no longer right."""

    async def hammer(session: aiohttp.ClientSession) -> None:
        auth = aiohttp.BasicAuth(USERNAME, "the-old-password")
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{cluster.url}/service/token", auth=auth) as answer:
                await answer.read()

    async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(_again(0, partial(hammer, session)))
        yield


async def _restart(replica: Replica, **more: str) -> None:
    own = {key: value for key, value in replica.environment.items() if key not in (*WALL_CLOCKS, *CLOCKS)}
    replica.environment = {**own, **more}
    await _off_loop(replica.stop)
    await _off_loop(replica.start)


@contextlib.asynccontextmanager
async def _again(seconds: float, strike: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Strike now and every so many seconds; the last blow is finished before this ends."""
    ended = asyncio.Event()

    async def go() -> None:
        while not ended.is_set():
            await strike()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(seconds, 0.001)):
                    await ended.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(go())
        try:
            yield
        finally:
            ended.set()


async def _off_loop(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(call, *args, **kwargs)
