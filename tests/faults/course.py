"""The faults, in the order in which they happen."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Final

from tests.faults import outages, processes, tokens
from tests.faults.scene import Fault, Scene, off_loop
from tests.faults.strangers import BUCKET, DATABASE, KEY, OLD, join
from tests.faults.tally import Row

NOTHING: Final = Fault(0, "none", lambda _scene, _row: contextlib.nullcontext(), 0.5)
KEYS: Final = Fault(1, "keys rotated every 5 seconds", tokens.keys_rotated)
CLOCKS: Final = Fault(2, "clocks 2 hours ahead, 2 hours behind, jumping", processes.clocks_apart)
KILLED: Final = Fault(3, "replicas killed with `kill -9`", processes.killed)
RESTARTED: Final = Fault(4, "rolling restart", processes.rolling_restart)
UPGRADED: Final = Fault(4, "rolling upgrade to the next version's schema", processes.upgrade, 0.5)
DATABASE_RESTARTED: Final = Fault(6, "PostgreSQL restarted", outages.database_restarted)
DATABASE_EXHAUSTED: Final = Fault(6, "all connections of PostgreSQL taken", outages.connections_exhausted)
DATABASE_PAUSED: Final = Fault(6, "PostgreSQL paused", outages.database_paused)
STORE_SLOW: Final = Fault(7, "the store slow", outages.store_slow)
STORE_FAILING: Final = Fault(7, "the store failing one request in ten", outages.store_failing)
STORE_AWAY: Final = Fault(7, "the store away", outages.store_away)
CUT: Final = Fault(8, "connections dropped half-way, every request another replica", outages.connections_cut)
LONG: Final = Fault(9, "uploads that outlive their token", tokens.long_uploads)
HAMMER: Final = Fault(10, "an old password, hammering", tokens.old_password)

FULL: Final[Sequence[Sequence[Fault]]] = (
    (NOTHING,),
    (KEYS,),
    (CLOCKS,),
    (KILLED,),
    (RESTARTED,),
    (UPGRADED,),
    *(
        (Fault(5, f"a replica with {who}", join((who, check, make)), 0.4),)
        for who, check, make in (KEY, BUCKET, DATABASE, OLD)
    ),
    (DATABASE_RESTARTED,),
    (DATABASE_EXHAUSTED,),
    (DATABASE_PAUSED,),
    (STORE_SLOW,),
    (STORE_FAILING,),
    (STORE_AWAY,),
    (CUT,),
    (LONG,),
    (HAMMER,),
)
"""One after the other."""

QUICK: Final[Sequence[Sequence[Fault]]] = (
    (LONG, KEYS, CLOCKS, HAMMER),
    (KILLED,),
    (UPGRADED,),
    (Fault(5, "four replicas that are not the cluster's", join(KEY, BUCKET, DATABASE, OLD), 0.5),),
    (DATABASE_RESTARTED,),
    (DATABASE_EXHAUSTED,),
    (STORE_FAILING, STORE_SLOW),
    (STORE_AWAY,),
    (CUT,),
)
"""All ten in a few minutes, those that don't disturb each other's view at once."""

TOGETHER: Final = (KEYS, CLOCKS, KILLED, DATABASE_RESTARTED, DATABASE_PAUSED, STORE_FAILING, STORE_SLOW, CUT, HAMMER)
AT_ONCE: Final = 3
DRAWS: Final = 4


def needs_s3(fault: Fault) -> bool:
    return fault in (STORE_SLOW, STORE_FAILING, STORE_AWAY)


async def run(scene: Scene, acts: Sequence[Sequence[Fault]], seconds: float, *, mixed: bool) -> None:
    """Let each act last its share of the seconds; with `mixed`, some at random together at the end."""
    tally = scene.load.tally
    whole = sum(_share(act) for act in acts) + (DRAWS if mixed else 0)
    tally.begin(_title(acts[0]))
    async with scene.load.going():
        for act in acts:
            await perform(scene, act, tally.begin(_title(act)), seconds * _share(act) / whole)
        if mixed:
            row = tally.begin("several at random together")
            for _ in range(DRAWS):
                drawn = random.sample([each for each in TOGETHER if scene.gateway or not needs_s3(each)], AT_ONCE)
                await perform(scene, drawn, row, seconds / whole)
    tally.begin("all read back at the end")
    await scene.load.read_all_back()


async def perform(scene: Scene, act: Sequence[Fault], row: Row, seconds: float) -> None:
    print(f"{_title(act)} ...", flush=True)
    async with contextlib.AsyncExitStack() as stack:
        for fault in act:
            await stack.enter_async_context(fault.strike(scene, row))
        await asyncio.sleep(seconds)
    # The next one shall find the cluster whole.
    for replica in scene.cluster.replicas:
        await off_loop(replica.wait_until_ready, 60)


def _title(act: Sequence[Fault]) -> str:
    return "; ".join(fault.title for fault in act)


def _share(act: Sequence[Fault]) -> float:
    return max(fault.share for fault in act)
