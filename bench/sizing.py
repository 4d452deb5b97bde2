"""`python -m bench.sizing`: what a request costs, and from that what many replicas would do, and where they end."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import psycopg

from bench import costs, sizing_page
from bench.costs import NOTHING, Cost, Meter
from bench.loader import load, project
from bench.machine import facts, sync_seconds
from bench.places import Place, place
from bench.population import Size, batches
from bench.queueing import Station, solve
from bench.registries import ROOT, Missing, Registry, mooring
from bench.scaling import SYNCS_WAITED
from bench.sizing_page import Measured, Tried
from bench.visits import CLIENTS, MIX, Target, drive, drive_mix, target
from mooring.cluster.clock import Clock
from mooring.database.postgresql import PostgreSQL

PAGE: Final = ROOT / "docs" / "sizing.md"
HELD: Final = Size(10_000, 100)
WORKERS: Final = 2
ROUNDS: Final = 3
COUNTED_SECONDS: Final = 2.0
REST_SECONDS: Final = 15.0
"""Three heartbeats: what a replica does by itself, it does at least that often."""

TRIALS: Final = ((1, 2), (1, 1), (3, 1))
"""Replicas and workers of each."""


def main() -> int:
    asked = arguments()
    # Servers of the tests' own put theirs where Python's temporary files go.
    tempfile.tempdir = asked.directory
    try:
        with tempfile.TemporaryDirectory(prefix="mooring-sizing-") as directory, ExitStack() as running:
            where = running.enter_context(place("shared", Path(directory)))
            assert where.database is not None
            costs.prepare(where.database, where.settings["DATABASE_URL"])
            measured = measure(where, Path(directory), asked.seconds)
    except Missing as how:
        print(f"not measured: {how}")
        return 1
    text = sizing_page.page(measured)
    print("", text, sep="\n")
    if asked.write:
        PAGE.write_text(text)
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sizing", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="for each of three rounds of each kind of request (%(default)s)"
    )
    parser.add_argument("--write", action="store_true", help="write docs/sizing.md")
    parser.add_argument("--directory", default="/var/tmp", help="where data goes for the run (%(default)s)")
    return parser.parse_args()


def measure(where: Place, directory: Path, seconds: float) -> Measured:
    disk = sync_seconds(directory)
    with started(where, directory, 1, WORKERS) as (registries, meter):
        fill(where)
        idle = resting(meter, where)
        aim = target(registries[0])
        visits = {kind: visit(kind, aim, meter, where, idle, seconds) for kind in MIX}
        costs.analyze(where.settings["DATABASE_URL"])
        drive_mix([aim], CLIENTS * WORKERS, 1)
        mix = spent(meter, where, seconds, partial(drive_mix, [aim], CLIENTS * WORKERS), idle)
    with started(where, directory, 1, WORKERS, JOBS="off") as (_, meter):
        relieved = resting(meter, where)
    tried = []
    for replicas, workers in TRIALS:
        with started(where, directory, replicas, workers) as (registries, meter):
            aims = [replace(aim, registry=registry) for registry in registries]
            tried.append(trial(aims, workers, meter, mix, idle, disk, 2 * seconds))
    return Measured(where.told, visits, mix, idle, relieved, tried, disk, facts(directory))


def fill(where: Place) -> None:
    """An empty registry would be measured with plans that PostgreSQL made for empty tables."""
    with closing(PostgreSQL(where.settings["DATABASE_URL"])) as database:
        load(database, batches(HELD, database.read_now(project), Clock(database).now()))


@contextmanager
def started(
    where: Place, directory: Path, replicas: int, workers: int, **further: str
) -> Iterator[tuple[Sequence[Registry], Meter]]:
    given = {**where.settings, "WORKERS": str(workers), **further}
    with ExitStack() as running, psycopg.connect(where.settings["DATABASE_URL"], autocommit=True) as connection:
        places = [Path(tempfile.mkdtemp(dir=directory)) for _ in range(replicas)]
        registries = [mooring(each, running, given) for each in places]
        yield registries, Meter(registries, where, connection)


def resting(meter: Meter, where: Place) -> Cost:
    """Of one second without a request; what a start leaves to do is over first."""

    def rest(length: float) -> float:
        time.sleep(length)
        return length

    time.sleep(3)
    return spent(meter, where, REST_SECONDS, rest, NOTHING, rounds=1, counted=REST_SECONDS)


def visit(kind: str, aim: Target, meter: Meter, where: Place, idle: Cost, seconds: float) -> Cost:
    drive(kind, aim, 1)
    cost = spent(meter, where, seconds, lambda length: drive(kind, aim, length), idle)
    print(f"  {kind}: Mooring {cost.mooring * 1e3:.2f} ms, PostgreSQL {cost.postgresql * 1e3:.2f} ms", flush=True)
    return cost


def spent(
    meter: Meter,
    where: Place,
    seconds: float,
    work: Callable[[float], float],
    idle: Cost,
    *,
    rounds: int = ROUNDS,
    counted: float = COUNTED_SECONDS,
) -> Cost:
    """For one of as many as `work` says it did; the statements are counted in a further, shorter run."""

    def run(length: float) -> Cost:
        before, began = meter.read(), time.monotonic()
        done = work(length)
        elapsed = time.monotonic() - began
        return (meter.read() - before - idle * elapsed) / done

    assert where.database is not None
    cost = costs.middle([run(seconds) for _ in range(rounds)])
    costs.count(where.database, on=True)
    said = run(counted)
    costs.count(where.database, on=False)
    return replace(cost, statements=said.statements, commits=said.commits)


def trial(
    aims: Sequence[Target], workers: int, meter: Meter, mix: Cost, idle: Cost, disk: float, seconds: float
) -> Tried:
    count = len(aims) * workers
    drive_mix(aims, CLIENTS * count, 1)
    before, busy, began = meter.read(), costs.machine_seconds(), time.monotonic()
    done = drive_mix(aims, CLIENTS * count, seconds)
    elapsed = time.monotonic() - began
    spent = meter.read() - before
    others = (costs.machine_seconds() - busy - spent.cpu) / elapsed
    resting = idle * (count / WORKERS)
    cores = (os.cpu_count() or 1) - max(0.0, others)
    rate = here(mix, resting, count, cores, disk)
    print(f"  {len(aims)} x {workers}: {done / elapsed:.0f}/s, by the model {rate:.0f}/s", flush=True)
    return Tried(len(aims), workers, done / elapsed, rate, (spent - resting * elapsed) / done, others)


def here(visit: Cost, resting: Cost, workers: int, cores: float, disk: float) -> float:
    """What the model says of this machine, on whose cores all parts run, the client too.

    One worker has a core for itself at most, and the rest has what is left; more of them share all cores with it.
    """
    rest = visit.postgresql + visit.store + visit.client
    if workers < cores:
        own = workers - resting.mooring
        stations = [Station("workers", visit.mooring, own), Station("the rest", rest, cores - workers)]
    else:
        stations = [Station("all", visit.mooring + rest, cores - resting.mooring - resting.postgresql)]
    return solve(stations, CLIENTS * workers, visit.commits * disk * SYNCS_WAITED).rate


if __name__ == "__main__":
    sys.exit(main())
