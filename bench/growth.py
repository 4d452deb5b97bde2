"""`python -m bench.growth`: how each figure grows with what a registry holds, on SQLite and on PostgreSQL."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import report
from bench.collecting import collection_rate, pushes_beside_collection
from bench.loader import load, project
from bench.machine import facts
from bench.population import Size, batches, shown
from bench.questions import QUESTIONS
from bench.registries import PASSWORD, ROOT, mooring
from mooring.cluster.clock import Clock
from mooring.database.connect import connect
from mooring.installation import install
from mooring.settings import Settings
from mooring.settings import load as load_settings
from tests import postgresql

PAGE: Final = ROOT / "docs" / "growth.md"
FULL: Final = (Size(10_000, 100), Size(100_000, 1_000), Size(1_000_000, 10_000))
QUICK: Final = (Size(2_000, 20), Size(20_000, 200))
COLLECTED: Final = 20_000
DATABASES: Final = ("sqlite", "postgresql")
KEY: Final = "bW9vcmluZy1iZW5jaC1rZXktb2YtMzItYnl0ZXMhISE="

Figures = dict[tuple[str, str, Size], str]

OPENING: Final = """\
Written by `make bench-growth`: what a registry does when it holds little and when it holds much. The figures are of
one run on one machine, client, database and registry on the same cores: compare the columns. A bulk loader
(`bench/population.py`) makes true manifests, each with a configuration of its own and a layer that ten images share.
A tenth of all is in one repository, the rest is spread over the others. PostgreSQL and SQLite sync each commit.
A figure in ms is the median of 21 requests."""


def main() -> int:
    asked = arguments()
    sizes = QUICK if asked.quick else FULL
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="mooring-growth-", dir=asked.directory) as place, ExitStack() as running:
        machine = facts(Path(place))
        for kind in asked.databases:
            server = running.enter_context(postgresql.running()) if kind == "postgresql" else None
            for size in sizes:
                with tempfile.TemporaryDirectory(dir=place) as directory:
                    measure(kind, size, settings(Path(directory), server), Path(directory), figures)
    tables = "\n\n".join(table(kind, sizes, figures) for kind in asked.databases)
    print("", tables, "", *machine, sep="\n")
    if not asked.quick and set(asked.databases) == set(DATABASES):
        PAGE.write_text(page(tables, machine))
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 and 20,000 manifests; keeps no table")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES)
    where = "where all data of SQLite goes for the run (%(default)s)"
    parser.add_argument("--directory", default="/var/tmp", help=where)
    return parser.parse_args()


def settings(directory: Path, server: postgresql.PostgreSQL | None) -> dict[str, str]:
    """As `MOORING_` variables without their prefix."""
    given = {"DATA": str(directory / "data"), "ADMIN_PASSWORD": PASSWORD, "MASTER_KEY": KEY}
    if server is not None:
        given |= {"DATABASE_URL": server.create(), "STORE": f"file://{directory}/objects"}
    return given


def measure(kind: str, size: Size, given: dict[str, str], directory: Path, figures: Figures) -> None:
    def note(name: str, figure: str) -> None:
        figures[name, kind, size] = figure
        print(f"  {kind}, {size.manifests:,}: {name}: {figure}", flush=True)

    values: dict[str, Any] = {name.lower(): value for name, value in given.items()}
    loaded = load_settings(**values)
    began = time.monotonic()
    rows = fill(loaded, size)
    note("rows loaded", f"{rows:,} in {time.monotonic() - began:.0f} s")
    note(f"collection of {COLLECTED:,} blobs", report.number(collection_rate(loaded, COLLECTED), "/s"))
    beside = pushes_beside_collection(directory, given)
    note("small images, 50 at once", report.number(beside.alone, "/s"))
    note("the same while blobs are collected", report.number(beside.collecting, "/s"))
    note("blobs collected meanwhile", report.number(beside.blobs, "/s"))
    with ExitStack() as running:
        registry = mooring(directory, running, given)
        for question in QUESTIONS:
            note(question.name, question.told(question.ask(registry, size)))
    os.sync()


def fill(settings: Settings, size: Size) -> int:
    settings.data.mkdir(parents=True, exist_ok=True)
    install(settings)
    for key, content in shown(size):
        path = settings.store_path / key[:2] / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with closing(connect(settings)) as database:
        return load(database, batches(size, database.read_now(project), Clock(database).now()))


def table(kind: str, sizes: Sequence[Size], figures: Figures) -> str:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]
    heads = [f"{name}, manifests", *(f"{size.manifests:,}" for size in sizes)]
    works = dict.fromkeys(work for work, of, _ in figures if of == kind)
    return report.table(heads, [[work, *(figures[work, kind, size] for size in sizes)] for work in works])


def page(tables: str, machine: Sequence[str]) -> str:
    counts = ", ".join(f"{size.manifests:,} in {size.repositories:,}" for size in FULL)
    notes = [f"{datetime.now(UTC):%Y-%m-%d}, `make bench-growth`", f"manifests in repositories: {counts}", *machine]
    listed = "\n".join(f"- {note}" for note in notes)
    return f"# Growth\n\n{OPENING}\n\n{tables}\n\n{listed}\n"


sys.exit(main())
