"""The work of a cluster that is one machine: done by the one of its processes that holds a lock."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mooring.jobs.work import Work
from mooring.observe.metrics import Metrics

TRY_SECONDS = 1.0


class Embedded:
    def __init__(self, works: Sequence[Work], metrics: Metrics, lock: Path) -> None:
        self._works = works
        self._metrics = metrics
        self._lock = lock

    async def run(self) -> None:
        """Until it is cancelled. All that is due is looked for at once: whoever did it before may have died over it."""
        async with _held(self._lock), asyncio.TaskGroup() as tasks:
            for work in self._works:
                tasks.create_task(self._repeat(work), name=work.name)

    async def _repeat(self, work: Work) -> None:
        while True:
            await work.attempt(self._metrics)
            await asyncio.sleep(work.seconds())


@asynccontextmanager
async def _held(path: Path) -> AsyncIterator[None]:
    """The kernel gives the lock of a process that died to the next one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            if _taken(descriptor):
                break
            await asyncio.sleep(TRY_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
