"""How long a part of the registry takes, told to whoever wants to know."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mooring.errors import StorageFull, Unavailable

T = TypeVar("T")

Observe = Callable[[str, float, bool], object]
"""(what was done, seconds, whether it could not be done)."""


def unobserved(_what: str, _seconds: float, _failed: bool) -> None:
    return None


async def measured(observe: Observe, what: str, work: Awaitable[T]) -> T:
    """Raises what the work does. One that is refused for what was asked has not failed."""
    began = time.perf_counter()
    try:
        result = await work
    except Exception as error:
        observe(what, time.perf_counter() - began, _has_failed(error))
        raise
    observe(what, time.perf_counter() - began, False)
    return result


def _has_failed(error: Exception) -> bool:
    """Our own code raises Unavailable too, for a request that another one overtook: that has no cause."""
    return isinstance(error, Unavailable | StorageFull) and error.__cause__ is not None
