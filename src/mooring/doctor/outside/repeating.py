"""The same question several times: a load balancer may lead each to another core."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE_SECONDS: Final = 12.0
"""After so long no further time is asked: two answers that took long say as much as twelve."""


async def repeated(
    times: int,
    ask: Callable[[], Awaitable[T]],
    *,
    pause_seconds: float = 0,
    enough: Callable[[list[T]], bool] = lambda _: False,
) -> tuple[T, ...]:
    """One after the other, so that a balancer that takes turns shows all its cores."""
    found: list[T] = []
    end = time.monotonic() + PATIENCE_SECONDS
    while len(found) < times and time.monotonic() < end and not enough(found):
        if found and pause_seconds:
            await asyncio.sleep(pause_seconds)
        found.append(await ask())
    return tuple(found)
