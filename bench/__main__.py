"""`python -m bench`: starts the registries, drives each with the same program, prints and keeps the table."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import report
from bench.loads import FULL, QUICK, WORKS, Scale, Work
from bench.machine import facts, floors
from bench.peers import STARTED
from bench.registries import ROOT, Missing, Registry, peer
from bench.report import Figures
from bench.wire import Unexpected

PAGE = ROOT / "docs" / "benchmarks.md"
ROOM = 50 << 30  # bytes of disk that a full run of five registries may take for a while


def main() -> int:
    asked = arguments()
    scale = QUICK if asked.quick else FULL
    works = [work for work in WORKS if not asked.works or any(part in work.name for part in asked.works)]
    whole = not (asked.quick or asked.works or asked.only)
    with ExitStack() as running:
        place = tempfile.TemporaryDirectory(prefix="mooring-bench-", dir=asked.directory)
        directory = Path(running.enter_context(place))
        if whole and shutil.disk_usage(directory).free < ROOM:
            print(f"less than {ROOM >> 30} GiB free: a full run may not fit; --directory takes another disk")
        if (busy := os.getloadavg()[0]) > 1:
            print(f"something else keeps this machine busy (load {busy:.1f}): the figures will be off")
        registries, missing = start(directory, running, asked.only)
        machine = facts(directory) + (floors(directory) if whole else [])
        figures = measure(works, registries, scale)
    tables = "\n\n".join(kind(figures, works, registries) for kind in (report.medians, report.ranges))
    print("", tables, "", *machine, sep="\n")
    if whole and not figures.errors and registries[0].authorised:
        PAGE.write_text(report.page(tables, registries, missing, machine, command()))
        print(f"written: {PAGE.relative_to(ROOT)}")
    for error in figures.errors:
        print(f"ERROR {error}", file=sys.stderr)
    return 1 if figures.errors else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds; keeps no table")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="registries whose name holds one of these")
    parser.add_argument("--works", nargs="+", metavar="PART", help="works whose name holds one of these")
    where = "where all data goes for the run, on the disk to measure (%(default)s)"
    parser.add_argument("--directory", default="/var/tmp", help=where)
    return parser.parse_args()


def start(directory: Path, running: ExitStack, only: Sequence[str] | None) -> tuple[list[Registry], list[str]]:
    """Mooring first, then the peers; those that are missing are said and returned as lines."""
    registries, missing = [], []
    for name, starter in STARTED.items():
        if only and not any(part in name for part in only):
            continue
        own = directory / name.replace(" ", "-")
        own.mkdir()
        try:
            registries.append(starter(own, running))
        except Missing as how:
            missing.append(f"{name} is not installed: {how}")
            print(missing[-1])
    registries += [peer(entry) for entry in os.environ.get("PEERS", "").split()]
    if not registries:
        raise SystemExit("there is no registry to measure")
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
