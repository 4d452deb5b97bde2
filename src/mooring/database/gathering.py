"""Looks for single rows that come at the same time, sent to the server together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from mooring.database.lookup import Lookup, Values

LARGEST_BATCH = 64
BATCHES = 2
"""Under way at once. What comes meanwhile waits for one of them, and goes together."""

PATIENCE_SECONDS = 4.0
"""How long a look waits to be sent."""


class Late(Exception):
    """A look was not sent: those before it are not answered yet."""


class Look(NamedTuple):
    lookup: Lookup[Any]
    values: Values
    answer: "asyncio.Future[Values | None]"
    due: float
    """When it has waited long enough to be sent, by the loop's clock."""


Ask = Callable[[Sequence[Look]], Awaitable[Sequence[Values | None]]]


class Gathering:
    """One trip to the server, and to a thread and back, costs ten times what the search for a row does there."""

    def __init__(self, ask: Ask) -> None:
        """`ask` answers the rows in the order of the looks."""
        self._ask = ask
        self._waiting: list[Look] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._due = False
        self._watched = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def look(self, lookup: Lookup[Any], values: Values) -> Values | None:
        """The row. Raises Late, and what `ask` does."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Nobody waits any more for what another one left behind.
            self._loop, self._waiting, self._batches = loop, [], set()
            self._due = self._watched = False
        look = Look(lookup, values, loop.create_future(), loop.time() + PATIENCE_SECONDS)
        self._waiting.append(look)
        if len(self._batches) >= BATCHES:
            self._watch(loop)
        elif not self._due:
            # At the end of this turn of the loop, when all that came in it has asked.
            self._due = True
            loop.call_soon(self._send)
        return await look.answer

    def _send(self) -> None:
        self._due = False
        while self._waiting and len(self._batches) < BATCHES:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            task = asyncio.ensure_future(self._answer(batch))
            self._batches.add(task)
            task.add_done_callback(self._ended)
        if self._waiting:
            self._watch(asyncio.get_running_loop())

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for all that wait: the first of them is the first to be late."""
        if not self._watched:
            self._watched = True
            loop.call_at(self._waiting[0].due, self._give_up, loop)

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watched = False
        late = [look for look in self._waiting if look.due <= loop.time()]
        self._waiting = self._waiting[len(late) :]
        for look in late:
            if not look.answer.done():
                look.answer.set_exception(Late())
        if self._waiting:
            self._watch(loop)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._batches.discard(task)
        self._send()

    async def _answer(self, batch: Sequence[Look]) -> None:
        batch = [look for look in batch if not look.answer.done()]
        try:
            rows = await self._ask(batch)
        except BaseException as error:
            for look in batch:
                if not look.answer.done():
                    look.answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for look, row in zip(batch, rows, strict=True):
            if not look.answer.done():
                look.answer.set_result(row)
