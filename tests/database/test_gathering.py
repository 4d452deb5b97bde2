"""Looks that wait for others to be answered, and event loops that end while they do."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from sqlalchemy import select, text

from mooring.database.gathering import BATCHES, LARGEST_BATCH, Gathering, Late, Look
from mooring.database.lookup import Lookup, Values

LOOKUP = Lookup(select(text("1")), (), lambda row: row)
GO = BATCHES * LARGEST_BATCH
MORE_THAN_GO = GO + 10


async def stuck(looks: Sequence[Look]) -> Sequence[Values | None]:
    await asyncio.Event().wait()
    return [None for _ in looks]


async def answered(looks: Sequence[Look]) -> Sequence[Values | None]:
    return [(1,) for _ in looks]


@pytest.mark.parametrize("others", [0, 10])
def test_what_waits_behind_a_server_that_does_not_answer_waits_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    monkeypatch.setattr("mooring.database.gathering.PATIENCE_SECONDS", 0.2)
    gathering = Gathering(stuck)

    async def waited() -> float:
        began = time.monotonic()
        with pytest.raises(Late):
            await gathering.look(LOOKUP, ())
        return time.monotonic() - began

    async def ask() -> list[float]:
        asked = [asyncio.ensure_future(waited()) for _ in range(GO + others)]
        await asyncio.sleep(0.1)
        asked.append(asyncio.ensure_future(waited()))
        sent, late = asked[:GO], asked[GO:]
        async with asyncio.timeout(10):
            found = await asyncio.gather(*late)
        assert not any(task.done() for task in sent)
        return found

    found = asyncio.run(ask())
    assert len(found) == others + 1
    assert min(found) >= 0.2, "the later one waits as long as the others"
    assert max(found) < 1


def test_what_waited_is_sent_when_its_turn_comes() -> None:
    sizes: list[int] = []

    async def counted(looks: Sequence[Look]) -> Sequence[Values | None]:
        sizes.append(len(looks))
        await asyncio.sleep(0.01)
        return await answered(looks)

    async def ask() -> Sequence[Values | None]:
        gathering = Gathering(counted)
        return await asyncio.gather(*(gathering.look(LOOKUP, ()) for _ in range(MORE_THAN_GO)))

    assert asyncio.run(ask()) == [(1,)] * MORE_THAN_GO
    assert sizes == [LARGEST_BATCH, LARGEST_BATCH, 10]


@pytest.mark.parametrize("turns", [1, 3])
def test_a_loop_that_ended_keeps_no_look_of_the_next_one(turns: int) -> None:
    """Whether it had been sent or not."""
    asks = [stuck]

    async def newest(looks: Sequence[Look]) -> Sequence[Values | None]:
        return await asks[-1](looks)

    gathering = Gathering(newest)
    loop = asyncio.new_event_loop()
    waiting = [loop.create_task(gathering.look(LOOKUP, ())) for _ in range(MORE_THAN_GO)]
    for _ in range(turns):
        loop.call_soon(loop.stop)
        loop.run_forever()
    asks.append(answered)

    async def again() -> Values | None:
        return await asyncio.wait_for(gathering.look(LOOKUP, ()), 2)

    assert asyncio.run(again()) == (1,)
    for task in (*waiting, *asyncio.all_tasks(loop)):
        task.cancel()
    loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
    loop.close()
