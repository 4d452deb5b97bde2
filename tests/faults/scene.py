"""What the faults act on, and how one is described."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from tests.faults.gateway import Gateway
from tests.faults.load import Load
from tests.faults.tally import Row
from tests.replicas.cluster import Cluster
from tests.s3 import S3

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """A cluster under load. `gateway` lies between the replicas and the S3 server; without S3 there is none."""

    cluster: Cluster
    load: Load
    store: S3 | None
    gateway: Gateway | None
    upload_seconds: float
    """How long a throttled upload takes; longer than a token lives."""


Strike = Callable[[Scene, Row], contextlib.AbstractAsyncContextManager[None]]
"""Does its harm on entering or while it is entered, undoes it at the end, and notes in the row what it saw."""


@dataclass(frozen=True)
class Fault:
    """`number` is that of the list in the documentation. `share` is its part of the time, 1 for most."""

    number: int
    name: str
    strike: Strike
    share: float = 1.0

    @property
    def title(self) -> str:
        return f"{self.number}. {self.name}" if self.number else self.name


@contextlib.asynccontextmanager
async def again(seconds: float, blow: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Strike now and every so many seconds; the last blow is finished before this ends."""
    ended = asyncio.Event()

    async def go() -> None:
        while not ended.is_set():
            await blow()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(seconds, 0.001)):
                    await ended.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(go())
        try:
            yield
        finally:
            ended.set()


async def off_loop(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(call, *args, **kwargs)
