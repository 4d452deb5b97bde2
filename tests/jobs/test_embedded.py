"""On one machine the processes of a server agree by a lock who works."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mooring.errors import Unavailable
from mooring.jobs import embedded
from mooring.jobs.embedded import Embedded
from mooring.jobs.work import Work
from mooring.observe.metrics import Metrics
from tests.jobs.conftest import until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "TRY_SECONDS", 0.01)


@contextlib.asynccontextmanager
async def going(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def counting(rounds: list[str], name: str) -> Work:
    async def note() -> None:
        rounds.append(name)

    return Work("counting", note, lambda: 0.01)


async def test_one_works_and_the_next_takes_over(tmp_path: Path, metrics: Metrics) -> None:
    rounds: list[str] = []
    one, other = (Embedded([counting(rounds, name)], metrics, tmp_path / "lock") for name in ("one", "other"))
    async with going(one.run()) as first:
        await until(lambda: len(rounds) > 3)
        async with going(other.run()):
            await until(lambda: len(rounds) > 20)
            assert set(rounds) == {"one"}
            first.cancel()
            await until(lambda: "other" in rounds)
            assert rounds == sorted(rounds), "both at once"


async def test_what_fails_is_done_again_and_stops_nothing_else(tmp_path: Path, metrics: Metrics) -> None:
    rounds: list[str] = []

    async def refuse() -> None:
        rounds.append("refused")
        raise Unavailable

    async def break_down() -> None:
        rounds.append("broken")
        raise RuntimeError

    works = [Work("a", refuse, lambda: 0), Work("b", break_down, lambda: 0), counting(rounds, "fine")]
    async with going(Embedded(works, metrics, tmp_path / "lock").run()):
        await until(lambda: all(rounds.count(name) > 2 for name in ("refused", "broken", "fine")))
