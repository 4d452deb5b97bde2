"""Faults of the replicas themselves: their clocks, their lives, their versions."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests import programs
from tests.faults.scene import Scene, again, off_loop
from tests.faults.tally import Row
from tests.next import NEXT
from tests.replicas.cluster import Cluster
from tests.replicas.replica import Replica

LIBRARIES = "*/faketime/libfaketimeMT.so.1"
JUMPS = ("+2h", "-2h", "+1d", "-9m", "+0")
CLOCKS: Mapping[str, str] = {"ahead": "+2h", "behind": "-2h", "jumping": "+2h"}
APART_SECONDS = 7000.0
KILL_EACH_SECONDS = 4


@contextlib.asynccontextmanager
async def clocks_apart(scene: Scene, row: Row) -> AsyncIterator[None]:
    """Replicas 2 hours ahead, 2 hours behind and jumping take over from those whose clocks are right."""
    cluster = scene.cluster
    files = {name: cluster.directory / f"clock-{name}" for name in CLOCKS}
    wrong = []
    for name, clock in CLOCKS.items():
        files[name].write_text(clock)
        wrong.append(cluster.replica(f"clock-{name}", module=cluster.module, **faked(files[name])))

    async def jump() -> None:
        files["jumping"].write_text(random.choice(JUMPS))

    try:
        await together(wrong)
        cluster.balancer.point([replica.port for replica in wrong])
        async with again(2, jump):
            yield
        offsets = _offsets((await off_loop(cluster.mooring, "cluster", "status", "--json")).out)
        row.notes.append(", ".join(f"{name} {seconds:+,.0f} s" for name, seconds in offsets.items()))
        if not (offsets.get("clock-behind", 0) < -APART_SECONDS and offsets.get("clock-ahead", 0) > APART_SECONDS):
            row.missing.append(f"the clocks were not apart: {offsets}")
    finally:
        cluster.balancer.point(cluster.ports())
        await asyncio.gather(*(off_loop(replica.stop) for replica in wrong))


def faked(file: Path) -> dict[str, str]:
    """For a process whose wall clock follows a file. Its monotonic clock stays true, as in real life."""
    libraries = [str(found) for found in Path("/usr/lib").glob(LIBRARIES)]
    if not libraries:
        programs.missing(f"libfaketime is not installed. {programs.REMEDY}make tools (apt-get install faketime)")
    return {
        "LD_PRELOAD": libraries[0],
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


@contextlib.asynccontextmanager
async def killed(scene: Scene, _row: Row) -> AsyncIterator[None]:
    async def strike() -> None:
        replica = random.choice(scene.cluster.replicas)
        await off_loop(replica.kill)
        await off_loop(replica.start)

    async with again(KILL_EACH_SECONDS, strike):
        yield


@contextlib.asynccontextmanager
async def rolling_restart(scene: Scene, _row: Row) -> AsyncIterator[None]:
    async with again(1, lambda: roll(scene.cluster)):
        yield


@contextlib.asynccontextmanager
async def upgrade(scene: Scene, row: Row) -> AsyncIterator[None]:
    """To the next version's schema: one replica after the other, then what only the old version needs goes."""
    cluster = scene.cluster
    before = await off_loop(schema_of, cluster)
    cluster.module = NEXT
    await roll(cluster)
    yield
    said = await off_loop(cluster.mooring, "migrate", "--phase", "after", "--wait", "60")
    after = await off_loop(schema_of, cluster)
    row.notes.append(f"schema {before} → {after}")
    if before == after or said.code or "current" not in said.out:
        row.missing.append(f"the schema was not brought to the next version: {said.text}")


def schema_of(cluster: Cluster) -> str:
    return str(cluster.value("SELECT version_num FROM alembic_version"))


async def roll(cluster: Cluster) -> None:
    """Stop and start each replica in turn, by the cluster's present version."""
    for replica in cluster.replicas:
        await off_loop(replica.stop)
        replica.module = cluster.module
        await off_loop(replica.start)


async def together(replicas: list[Replica]) -> None:
    for replica in replicas:
        replica.launch()
    await asyncio.gather(*(off_loop(replica.wait_until_ready, 90) for replica in replicas))


def _offsets(status: str) -> dict[str, float]:
    """How many seconds ahead each wrong wall clock is, as the replicas themselves find."""
    found = {each["name"].partition("/")[0]: each["pulse"]["clock_offset"] / 1e6 for each in json.loads(status)}
    return {name: seconds for name, seconds in found.items() if name.startswith("clock-")}
