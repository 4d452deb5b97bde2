"""Faults of what the replicas stand on, and of what stands before them."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import psycopg

from tests.faults.gateway import Mood
from tests.faults.scene import Scene, again, off_loop
from tests.faults.tally import Row
from tests.postgresql import PostgreSQL

EACH_SECONDS = 6
PAUSED_SECONDS = 3.0
EXHAUSTED_SECONDS = 3.0
AWAY_SECONDS = 3.0
CUT_EACH_SECONDS = 5
ENOUGH = 200
END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mooring'"


@contextlib.asynccontextmanager
async def database_restarted(scene: Scene, _row: Row) -> AsyncIterator[None]:
    """In order, and as by a crash, in turn."""
    database, ways = scene.cluster.database, itertools.cycle((True, False))

    async def restart() -> None:
        # As a careful operator does, so that the stop itself has little left to write.
        await off_loop(database.run, "CHECKPOINT")
        await off_loop(database.stop, fast=next(ways))
        await off_loop(database.start)

    async with again(EACH_SECONDS, restart):
        yield


@contextlib.asynccontextmanager
async def database_paused(scene: Scene, _row: Row) -> AsyncIterator[None]:
    database = scene.cluster.database

    async def pause() -> None:
        database.pause()
        try:
            await asyncio.sleep(PAUSED_SECONDS)
        finally:
            database.resume()

    async with again(EACH_SECONDS, pause):
        yield


@contextlib.asynccontextmanager
async def connections_exhausted(scene: Scene, row: Row) -> AsyncIterator[None]:
    """Somebody takes every connection that the server has, those of the replicas too, and keeps them for a while."""
    taken: list[int] = []

    async def exhaust() -> None:
        async with _all_connections(scene.cluster.database) as held:
            taken.append(held)
            await asyncio.sleep(EXHAUSTED_SECONDS)

    async with again(EACH_SECONDS, exhaust):
        yield
    row.notes.append(f"{len(taken)} times all connections were taken, {max(taken)} at most")


@contextlib.asynccontextmanager
async def _all_connections(database: PostgreSQL) -> AsyncIterator[int]:
    held: list[psycopg.Connection] = []
    try:
        held.append(await off_loop(psycopg.connect, database.url(), autocommit=True))
        await off_loop(held[0].execute, END_OTHERS)
        with contextlib.suppress(psycopg.OperationalError):
            while len(held) < ENOUGH:
                held.append(await off_loop(psycopg.connect, database.url(), connect_timeout=5))
        yield len(held)
    finally:
        for connection in held:
            connection.close()


@contextlib.asynccontextmanager
async def store_slow(scene: Scene, _row: Row) -> AsyncIterator[None]:
    async with _mood(scene, Mood.SLOW):
        yield


@contextlib.asynccontextmanager
async def store_failing(scene: Scene, _row: Row) -> AsyncIterator[None]:
    async with _mood(scene, Mood.FAILING):
        yield


@contextlib.asynccontextmanager
async def store_away(scene: Scene, _row: Row) -> AsyncIterator[None]:
    async def go() -> None:
        async with _mood(scene, Mood.AWAY):
            await asyncio.sleep(AWAY_SECONDS)

    async with again(EACH_SECONDS, go):
        yield


@contextlib.asynccontextmanager
async def _mood(scene: Scene, mood: Mood) -> AsyncIterator[None]:
    assert scene.gateway is not None, "only an S3 server is reached through the gateway"
    scene.gateway.turn(mood)
    try:
        yield
    finally:
        scene.gateway.turn(Mood.GOOD)


@contextlib.asynccontextmanager
async def connections_cut(scene: Scene, _row: Row) -> AsyncIterator[None]:
    """The load balancer dies and comes back: whatever was on its way is dropped half-way."""
    async with again(CUT_EACH_SECONDS, lambda: off_loop(scene.cluster.balancer.cut)):
        yield
