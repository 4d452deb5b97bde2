"""docs/sizing.md: the measured tables, what the model makes of them, and what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bench import sizing_words as words
from bench.costs import Cost
from bench.report import number, table
from bench.scaling import Answer, Machines, mixed, pooled, scaled, useful
from bench.visits import MIX

REPLICAS: Final = (1, 3, 10, 100)
SIZES: Final = (Machines(4), Machines(16), Machines(64))


@dataclass(frozen=True)
class Tried:
    """The mix on this machine, as it was and as the model says from what the mix costs."""

    replicas: int
    workers: int
    rate: float
    predicted: float
    found: Cost
    others: float
    """Cores that were busy with something else."""


@dataclass(frozen=True)
class Measured:
    place: str
    visits: Mapping[str, Cost]
    mix: Cost
    """Of a visit of the mix, found where all kinds come together."""
    idle: Cost
    relieved: Cost
    """Of a replica that leaves the background work to others."""
    tried: Sequence[Tried]
    disk: float
    machine: Sequence[str]


def page(measured: Measured) -> str:
    visit = measured.mix
    parts = [
        f"# Sizing\n\n{words.OPENING}",
        f"## What a request costs\n\n{words.COSTS}\n\n{costs(measured)}",
        f"## What a replica costs that does nothing\n\n{words.STANDING}\n\n{standing(measured)}",
        f"## One, three, ten, a hundred replicas\n\n{words.MODEL}",
        *(f"### PostgreSQL with {each.database_cores} cores\n\n{growth(visit, measured, each)}" for each in SIZES),
        f"## Where the database ends\n\n{ends(visit, measured)}\n\n{words.CONNECTIONS}\n\n{words.THEN}",
        f"## How far the model is off\n\n{words.TRIED}\n\n{trials(measured)}\n\n{words.LEFT_OUT}",
        notes(measured),
    ]
    return "\n\n".join(parts) + "\n"


def costs(measured: Measured) -> str:
    heads = ["visit", "Mooring", "PostgreSQL", "S3 server", "statements", "commits", "WAL", "network"]
    sums = [("the mix, added up", mixed(measured.visits, MIX)), ("the mix, measured", measured.mix)]
    return table(heads, [[name, *cells(cost)] for name, cost in (*measured.visits.items(), *sums)])


def cells(cost: Cost) -> list[str]:
    times = [f"{max(0.0, seconds) * 1e3:.2f} ms" for seconds in (cost.mooring, cost.postgresql, cost.store)]
    counts = [f"{max(0.0, count):.1f}" for count in (cost.statements, cost.commits)]
    return [*times, *counts, size(cost.wal), size(cost.network)]


def size(count: float) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(0.0, count) / 1e3:.1f} kB"


def standing(measured: Measured) -> str:
    heads = ["in a second", "Mooring", "PostgreSQL", "S3 server", "statements", "commits", "WAL", "network"]
    rows = [["that does the background work too", *cells(measured.idle)]]
    rows.append(["that leaves it to `mooring worker`", *cells(measured.relieved)])
    rows.append(["a hundred of these", *cells(measured.relieved * 100)])
    return table(heads, rows)


def growth(visit: Cost, measured: Measured, machines: Machines) -> str:
    heads = ["replicas", "visits", "answer", "fullest", "replicas' CPU", "PostgreSQL's CPU", "S3's CPU", "commits"]
    heads += ["connections", "sent"]
    rows = []
    for replicas in REPLICAS:
        answer = scaled(visit, measured.relieved, machines, replicas)
        shares = [f"{100 * share:.0f} %" for share in answer.used.values()]
        ends = [f"{pooled(machines, replicas):,}", f"{answer.rate * visit.network / 2e9:.1f} GB/s"]
        row = [str(replicas), number(answer.rate, "/s"), f"{answer.seconds * 1e3:.0f} ms", answer.first, *shares, *ends]
        rows.append(row)
    return table(heads, rows)


def ends(visit: Cost, measured: Measured) -> str:
    heads = ["PostgreSQL's cores", "replicas", "visits", "fullest", "a hundred replicas give"]
    rows = []
    for machines in SIZES:
        last, many = (useful(visit, measured.relieved, machines), scaled(visit, measured.relieved, machines, 100))
        rows.append([str(machines.database_cores), *ended(last), number(many.rate, "/s")])
    return f"{words.ENDS}\n\n{table(heads, rows)}"


def ended(answer: Answer) -> list[str]:
    return [str(answer.replicas), number(answer.rate, "/s"), answer.first]


def trials(measured: Measured) -> str:
    heads = ["replicas x workers", "measured", "by the model", "off by", "Mooring's cost off by", "PostgreSQL's"]
    heads.append("cores busy with other things")
    rows = []
    for each in measured.tried:
        costs = [off(measured.mix.mooring, each.found.mooring), off(measured.mix.postgresql, each.found.postgresql)]
        rates = [number(each.rate, "/s"), number(each.predicted, "/s"), off(each.predicted, each.rate)]
        rows.append([f"{each.replicas} x {each.workers}", *rates, *costs, f"{each.others:.2f}"])
    return table(heads, rows)


def off(said: float, found: float) -> str:
    return f"{100 * (said / found - 1):+.0f} %" if found else "-"


def notes(measured: Measured) -> str:
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, `make bench-sizing`, on {measured.place}, one replica of two workers",
        *measured.machine,
        f"one sync of this disk: {measured.disk * 1e3:.2f} ms",
    ]
    return "\n".join(f"- {line}" for line in lines)
