"""`make faults`: pushes and pulls through a load balancer over three replicas while everything goes wrong.

Ends with a table, written to docs/faults.md with `--write`. Exit 1 when anything was refused, failed, lost or corrupt,
or when the control, a cluster that is broken on purpose, shows no refusals.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.faults import faults
from tests.faults.faults import Fault
from tests.faults.load import Load
from tests.faults.tally import Outcome, Tally, table
from tests.replicas import cluster as clusters
from tests.replicas.cluster import Cluster
from tests.server import PASSWORD, USERNAME

REPLICAS = 3
TOGETHER = ("keys rotated every 5 s", "replicas killed with kill -9", "PostgreSQL restarted", "connections cut")

FAULTS: Mapping[str, Fault] = {
    "none": faults.nothing,
    "keys rotated every 5 s": faults.keys_rotated,
    "clocks 2 h ahead, 2 h behind, jumping": faults.clocks_apart,
    "replicas killed with kill -9": faults.killed,
    "rolling restart": faults.rolling_restart,
    "a replica with a wrong master key": faults.wrong_master_key(),
    "a replica with another store": faults.wrong("wrong-store", MOORING_STORE="file://{directory}/other-store"),
    "PostgreSQL restarted": faults.database_restarted,
    "PostgreSQL paused": faults.database_paused,
    "connections cut": faults.connections_cut,
    "an old password, hammering": faults.old_password,
}


async def ordeal(cluster: Cluster, tally: Tally, seconds: float, only: list[str] | None = None) -> None:
    chosen = {name: fault for name, fault in FAULTS.items() if only is None or any(word in name for word in only)}
    load = Load(cluster.url, USERNAME, PASSWORD, tally)
    tally.begin("none")
    async with load.going():
        for name, fault in chosen.items():
            print(f"{name} ...", flush=True)
            row = tally.begin(name)
            async with fault(cluster, row):
                await asyncio.sleep(seconds)
        if only is None:
            await together(cluster, tally, seconds)
    tally.begin("read back at the end")
    await load.read_all_back()


async def together(cluster: Cluster, tally: Tally, seconds: float) -> None:
    """Two faults at a time, drawn at random."""
    row = tally.begin("several at random together")
    for _ in range(3):
        one, other = random.sample(TOGETHER, 2)
        print(f"{one}, {other} ...", flush=True)
        async with FAULTS[one](cluster, row), FAULTS[other](cluster, row):
            await asyncio.sleep(seconds)


async def control(cluster: Cluster, tally: Tally, seconds: float) -> None:
    tally.begin("control: each replica its own key")
    load = Load(cluster.url, USERNAME, PASSWORD, tally)
    async with load.going():
        await asyncio.sleep(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=45, help="how long each fault lasts")
    parser.add_argument("--only", action="append", help="only faults with this in their name")
    parser.add_argument("--write", type=Path, help="write the tables to this page")
    given = parser.parse_args()
    tally, broken = Tally(), Tally()
    with tempfile.TemporaryDirectory(prefix="mooring-faults-") as directory:
        for name, module, run, kept in (
            ("good", "mooring", partial(ordeal, only=given.only), tally),
            ("broken", "tests.faults.broken", control, broken),
        ):
            place = Path(directory) / name
            place.mkdir()
            with clusters.running(place, REPLICAS, {"MOORING_TOKEN_LIFE_SECONDS": "60"}, module) as cluster:
                seconds = given.seconds if kept is tally else min(given.seconds, 20)
                asyncio.run(run(cluster, kept, seconds))
    report = f"{table(tally)}\n\n{table(broken)}\n"
    print(report)
    for row in [*tally.rows.values(), *broken.rows.values()]:
        for example in row.examples:
            print("  ", example)
    if given.write:
        given.write.write_text(report)
    good = tally.clean and broken.total(Outcome.REFUSED) > 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
