"""Takes due reviews and removals, batch after batch, while pushes go on. Those come first."""

import asyncio
import time
from collections.abc import AsyncIterator

from mooring.cluster.clock import SECOND, Clock
from mooring.cluster.configuration import Configuration
from mooring.database import Database
from mooring.observe.metrics import Metrics
from mooring.registry import collection, reviews, uploads
from mooring.registry.collection import BATCH, Collected
from mooring.storage import Store

MOST_BATCHES = 1000

RESTS = 9
"""How many times as long as a batch took is rested after it, while uploads move: what they wait for is the same disk,
the same database, and on SQLite the same turn to write."""

LONGEST_REST = 0.5
"""Seconds. A batch that takes so long waits for a bucket far away, and is in nobody's way."""

MOVING = SECOND
"""An upload that went on within this time."""


class Collector:
    def __init__(self, database: Database, store: Store, clock: Clock, configuration: Configuration) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._configuration = configuration

    @property
    def _delay(self) -> int:
        return int(self._configuration.settings.collection_delay_seconds * SECOND)

    async def run(self) -> Collected:
        """Everything that is due now."""
        return await self._reviews() + await self._uploads() + await self._objects() + await self._strays()

    async def run_counted(self, metrics: Metrics) -> None:
        if not self._configuration.settings.collection:
            return
        done = await self.run()
        for kind in ("links", "blobs", "uploads", "objects", "strays"):
            metrics.collected(kind, getattr(done, kind))
        metrics.freed(done.bytes)

    async def _batches(self) -> AsyncIterator[None]:
        for _ in range(MOST_BATCHES):
            began = time.perf_counter()
            yield
            if await self._database.read(uploads.moving, self._clock.now() - MOVING):
                await asyncio.sleep(min(LONGEST_REST, RESTS * (time.perf_counter() - began)))

    async def _reviews(self) -> Collected:
        total = Collected()
        async for _ in self._batches():
            done = await self._database.write(reviews.review_due, self._clock.now(), self._delay)
            total += done
            if done.reviews < BATCH and not done.links:
                break
        return total

    async def _uploads(self) -> Collected:
        total = Collected()
        async for _ in self._batches():
            rest = collection.idle(self._configuration.settings)
            done = await self._database.write(collection.reap_uploads, self._clock.now(), rest)
            total += done
            if done.uploads < BATCH:
                break
        return total

    async def _objects(self) -> Collected:
        total = Collected()
        async for _ in self._batches():
            keys = await self._database.read(collection.due_removals, self._clock.now())
            if keys:
                await self._store.delete(keys)
                await self._database.write(collection.forget_removals, keys)
            total += Collected(objects=len(keys))
            if len(keys) < BATCH:
                break
        return total

    async def _strays(self) -> Collected:
        """What a request had begun when it died, and its upload then ended without.

        Listed first and looked up afterwards: an upload has its row before anything is begun for it.
        """
        begun = await self._store.begun()
        dead = await self._database.read(collection.without_upload, [each.key for each in begun])
        strays = [each for each in begun if each.key in dead]
        for stray in strays:
            await self._store.abandon(stray)
        return Collected(strays=len(strays))
