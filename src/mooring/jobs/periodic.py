"""Work that a process does again and again while it serves. A round that fails is logged and tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from mooring.errors import MooringError

log = structlog.get_logger("mooring")


@dataclass(frozen=True)
class Periodic:
    name: str
    seconds: float
    run: Callable[[], Awaitable[object]]


class Rounds:
    def __init__(self, works: Sequence[Periodic]) -> None:
        self._works = works
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(_repeat(work), name=work.name) for work in self._works]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _repeat(work: Periodic) -> None:
    while True:
        try:
            await work.run()
        except MooringError as error:
            log.warning("work_failed", work=work.name, error=error.text)
        except Exception:
            log.exception("work_failed", work=work.name)
        await asyncio.sleep(work.seconds)
