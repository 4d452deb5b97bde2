"""`python -m bench`: starts the registries, drives each with the same program, prints and keeps the table."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import report
from bench.loads import FULL, QUICK, WORKS, Scale, Work
from bench.machine import facts as machine_facts
from bench.machine import floors as machine_floors
from bench.peers import SHARED, STARTED, Starter
from bench.registries import ROOT, Missing, Registry, peer
from bench.report import Compared, Figures
from bench.wire import Unexpected

PAGE = ROOT / "docs" / "benchmarks.md"
ROOM = 50 << 30  # bytes of disk that a full run of five registries may take for a while


def main() -> int:
    asked = arguments()
    scale = QUICK if asked.quick else FULL
    works = [work for work in WORKS if not asked.works or any(part in work.name for part in asked.works)]
    whole = not (asked.quick or asked.works or asked.only)
    if (busy := os.getloadavg()[0]) > 1:
        print(f"something else keeps this machine busy (load {busy:.1f}): the figures will be off")
    compared = [
        compare(group, works, scale, asked, floors=whole and group is STARTED)
        for group in ((STARTED,) if asked.quick else (STARTED, SHARED))
        if any(wanted(name, asked.only) for name in group)
    ]
    if not any(each.registries for each in compared):
        raise SystemExit("there is no registry to measure")
    errors = [error for each in compared for error in each.figures.errors]
    if whole and not errors and compared[0].registries[0].authorised:
        PAGE.write_text(report.page(compared, command()))
        print(f"written: {PAGE.relative_to(ROOT)}")
    for error in errors:
        print(f"ERROR {error}", file=sys.stderr)
    return 1 if errors else 0


def compare(
    group: Mapping[str, Starter], works: Sequence[Work], scale: Scale, asked: argparse.Namespace, *, floors: bool
) -> Compared:
    """Those of a group in one run, on one disk, each beside all others."""
    with ExitStack() as running:
        place = tempfile.TemporaryDirectory(prefix="mooring-bench-", dir=asked.directory)
        directory = Path(running.enter_context(place))
        if floors and shutil.disk_usage(directory).free < ROOM:
            print(f"less than {ROOM >> 30} GiB free: a full run may not fit; --directory takes another disk")
        registries, missing = start(group, directory, running, asked.only)
        machine = machine_facts(directory) + (machine_floors(directory) if floors else [])
        figures = measure(works, registries, scale)
    compared = Compared(works, registries, missing, machine, figures)
    print("", compared.tables, "", *machine, sep="\n")
    return compared


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds; keeps no table")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="registries whose name holds one of these")
    parser.add_argument("--works", nargs="+", metavar="PART", help="works whose name holds one of these")
    where = "where all data goes for the run, on the disk to measure (%(default)s)"
    parser.add_argument("--directory", default="/var/tmp", help=where)
    return parser.parse_args()


def wanted(name: str, only: Sequence[str] | None) -> bool:
    return not only or any(part in name for part in only)


def start(
    group: Mapping[str, Starter], directory: Path, running: ExitStack, only: Sequence[str] | None
) -> tuple[list[Registry], list[str]]:
    """Mooring first, then the peers; those that are missing are said and returned as lines."""
    registries, missing = [], []
    for name, starter in group.items():
        if not wanted(name, only):
            continue
        own = directory / name.replace(" ", "-")
        own.mkdir()
        try:
            registries.append(starter(own, running))
        except Missing as how:
            missing.append(f"{name} is not installed: {how}")
            print(missing[-1])
    if group is STARTED:
        registries += [peer(entry) for entry in os.environ.get("PEERS", "").split()]
    return registries, missing


def measure(works: Sequence[Work], registries: Sequence[Registry], scale: Scale) -> Figures:
    """Rounds alternate between the registries, and each round begins with another one."""
    figures = Figures()
    for work in works:
        for turn in range(work.rounds(scale)):
            at = turn % len(registries)
            for registry in (*registries[at:], *registries[:at]):
                if not work.concerns(registry):
                    continue
                os.sync()
                try:
                    figure = work.sample(registry, scale)
                except (Unexpected, OSError) as error:
                    figures.errors.append(f"{registry.name}, {work.name}: {error}")
                    print(f"  {figures.errors[-1]}", file=sys.stderr, flush=True)
                else:
                    figures.values[work.name, registry.name].append(figure)
                    print(f"  {work.name}: {registry.name} {report.number(figure, work.unit)}", flush=True)
    return figures


def command() -> str:
    """How this run was asked for; addresses of peers are not told, they mean nothing elsewhere."""
    peers = [entry.partition("=")[0] for entry in os.environ.get("PEERS", "").split()]
    return "make bench" + (' PEERS="' + " ".join(f"{name}=URL" for name in peers) + '"' if peers else "")


sys.exit(main())
