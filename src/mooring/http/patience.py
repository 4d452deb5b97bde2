"""A bound on each of many short waits."""

import asyncio
from math import inf
from types import TracebackType
from typing import Self

from mooring.errors import MooringError


class Patience:
    """Entered for each wait, raises `error` from one that takes more than `seconds`.

    One timer serves all waits: `asyncio.timeout` sets one up for each, which costs as much as a frame of a body.
    """

    def __init__(self, seconds: float, error: MooringError) -> None:
        self._seconds = seconds
        self._error = error
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._until = inf
        self._expired = False
        self._timer = self._loop.call_later(seconds, self._look)

    def __enter__(self) -> Self:
        self._until = self._loop.time() + self._seconds
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._until = inf
        if self._expired and kind is asyncio.CancelledError and self._task and not self._task.uncancel():
            raise self._error from error

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if now < self._until:
            self._timer = self._loop.call_at(min(self._until, now + self._seconds), self._look)
        elif self._task is not None:
            self._expired = True
            self._task.cancel()
