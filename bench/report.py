"""Medians and ratios, as a table for people."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from bench.loads import Work
from bench.registries import Registry

OPENING = """\
Written by `make bench`. The figures are of one run on one machine, client and registries on the same cores:
compare the ratios of a run, not the figures of two runs. Medians over rounds that alternate between the
registries in rotating order. 1 MB is 1,000,000 bytes."""

SHARED = "On PostgreSQL and S3, all on the same cores"

COMPARED = """\
- Mooring verifies a token in each request. The peers run without authorisation, the rest as they come.
  nginx is no registry: it sends the same bytes as files, and shows what the machine gives.
- Mooring answers a push when its bytes, their directory and its database are synced. The peers, by strace:
  distribution 2.8 syncs every file (some thirty for a small image) but no directory; v3 also the directories
  of its small files, not those that blobs are moved to; zot syncs its cache database alone, and blobs,
  manifests and its index only with `storage.commit`, which is off by default: "zot, syncing" has it on.
- The disk is synced before each measurement, so nobody pays for what another left in the page cache.
  Pulled blobs are in the page cache.
- A blob is pushed as docker does it: HEAD, POST, PATCH, PUT. A small image is a configuration, a layer of
  4 KiB and a manifest: nine requests, each client on one kept-alive connection with a token of its own.
- Every status is checked. What was pushed is pulled again in samples, outside the measured time, and its
  digest compared."""


@dataclass
class Figures:
    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    def median(self, work: Work, registry: Registry) -> float | None:
        values = self.values.get((work.name, registry.name))
        return median(values) if values else None

    def range(self, work: Work, registry: Registry) -> str:
        values = self.values.get((work.name, registry.name))
        return f"{number(min(values))} to {number(max(values))}" if values else "-"


def number(value: float, unit: str = "") -> str:
    figure = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{figure}{unit}" if unit.startswith("/") else f"{figure} {unit}".rstrip()


def medians(figures: Figures, works: Sequence[Work], registries: Sequence[Registry]) -> str:
    """The table: medians, then the ratio of Mooring, the first registry, to each peer."""
    first, peers = registries[0], registries[1:]
    heads = ["work", *(one.name for one in registries), *(f"{first.name} / {peer.name}" for peer in peers)]
    rows = []
    for work in works:
        found = [figures.median(work, one) for one in registries]
        cells = ["-" if value is None else number(value, work.unit) for value in found]
        ratios = [_ratio(found[0], other) for other in found[1:]]
        rows.append([work.name, *cells, *ratios])
    return table(heads, rows)


def ranges(figures: Figures, works: Sequence[Work], registries: Sequence[Registry]) -> str:
    heads = ["work, lowest to highest round", *(one.name for one in registries)]
    return table(heads, [[work.name, *(figures.range(work, one) for one in registries)] for work in works])


def table(heads: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    lines = [heads, ["-" * (widths[0])] + ["-" * (width - 1) + ":" for width in widths[1:]], *rows]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    )


@dataclass(frozen=True)
class Compared:
    """One run of registries beside each other."""

    works: Sequence[Work]
    registries: Sequence[Registry]
    missing: Sequence[str]
    machine: Sequence[str]
    figures: Figures

    @property
    def tables(self) -> str:
        return "\n\n".join(kind(self.figures, self.works, self.registries) for kind in (medians, ranges))


def page(compared: Sequence[Compared], command: str) -> str:
    first, *further = compared
    named = [one for each in compared for one in each.registries]
    notes = [
        f"{datetime.now(UTC):%Y-%m-%d}, `{command}`",
        ", ".join(f"{one.name} ({one.version})" for one in named),
        *first.machine,
        *(f"not measured: {line}" for each in compared for line in each.missing),
    ]
    listed = "\n".join(f"- {note}" for note in notes)
    shared = "".join(f"## {SHARED}\n\n{each.tables}\n\n" for each in further)
    return (
        f"# Benchmarks\n\n{OPENING}\n\n{first.tables}\n\n{shared}"
        f"## The run\n\n{listed}\n\n## What is compared\n\n{COMPARED}\n"
    )


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:.2f}" if ours is not None and theirs else "-"
