"""Transactions that wait for the thread that writes, and how those who asked for them are told what became of it."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Connection

Answer = asyncio.Future[Any] | Future[Any]


class Work:
    """Its thread begins it, or whoever waits for it gives it up: never both."""

    def __init__(self, run: Callable[[Connection], Any], answer: Answer) -> None:
        """`answer` is of an event loop, or of a thread that waits."""
        self.run = run
        self.answer = answer
        self._settled = threading.Lock()

    def begin(self) -> bool:
        return not self.answer.cancelled() and self._settled.acquire(blocking=False)

    def give_up(self, error: Exception) -> None:
        """In the thread that waits; nothing where it has begun, or is done."""
        if not self.answer.done() and self._settled.acquire(blocking=False):
            self.answer.set_exception(error)


class Outcome(NamedTuple):
    result: Any = None
    failure: BaseException | None = None


def tell(told: Iterable[tuple[Work, Outcome]]) -> None:
    """All who wait in one event loop at once: to wake a loop costs more than to settle what it wakes for."""
    loops: defaultdict[asyncio.AbstractEventLoop, list[tuple[Answer, Outcome]]] = defaultdict(list)
    for work, outcome in told:
        if isinstance(work.answer, asyncio.Future):
            loops[work.answer.get_loop()].append((work.answer, outcome))
        else:
            _settle([(work.answer, outcome)])
    for loop, settled in loops.items():
        # One that was closed has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: Iterable[tuple[Answer, Outcome]]) -> None:
    for answer, outcome in settled:
        # One who gave up meanwhile is told nothing.
        if answer.done():
            continue
        if outcome.failure is None:
            answer.set_result(outcome.result)
        else:
            answer.set_exception(outcome.failure)
