import asyncio
import time
from collections.abc import Callable

import pytest

from mooring.observe.metrics import Metrics

METRICS = Metrics("jobs")
"""One for all: prometheus_client takes a name once."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def metrics() -> Metrics:
    return METRICS


async def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not so within {seconds} s"
        await asyncio.sleep(0.02)
