"""What a request costs each part of a registry, read before and after many of them."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg

from bench.places import Place
from bench.registries import Registry
from tests.postgresql import PostgreSQL

TICKS: Final = os.sysconf("SC_CLK_TCK")
COUNTED: Final = """\
SELECT coalesce(sum(calls), 0), coalesce(sum(calls) FILTER (WHERE query = 'COMMIT'), 0)
FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%' AND query NOT LIKE '%pg_current_wal%'"""
WRITTEN: Final = "SELECT pg_current_wal_insert_lsn() - '0/0'"


@dataclass(frozen=True)
class Cost:
    """Of one request, or of one second. CPU is in seconds; `network` all bytes on the loopback, both ways of each."""

    mooring: float
    postgresql: float
    store: float
    client: float
    statements: float
    commits: float
    wal: float
    network: float

    @property
    def cpu(self) -> float:
        return self.mooring + self.postgresql + self.store + self.client

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __truediv__(self, by: float) -> "Cost":
        return Cost(*(value / by for value in astuple(self)))

    def __mul__(self, by: float) -> "Cost":
        return Cost(*(value * by for value in astuple(self)))

    def __add__(self, other: "Cost") -> "Cost":
        return self - other * -1


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each."""
    return Cost(*(median(values) for values in zip(*map(astuple, costs), strict=True)))


NOTHING: Final = Cost(*[0.0] * 8)


def prepare(database: PostgreSQL, url: str) -> None:
    """Have the server count statements, but only where it is asked to: counting takes time of its own."""
    database.run("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    database.stop()
    database.start()
    count(database, on=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")


def count(database: PostgreSQL, *, on: bool) -> None:
    database.run(f"ALTER SYSTEM SET pg_stat_statements.track = {'top' if on else 'none'}")
    database.run("SELECT pg_reload_conf()")
    time.sleep(0.3)


def analyze(url: str) -> None:
    """As PostgreSQL does by itself within minutes: have it look at what its tables hold, and plan by that."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


class Meter:
    """Reads the totals of all processes that took part so far."""

    def __init__(self, registries: Iterable[Registry], place: Place, connection: psycopg.Connection[Any]) -> None:
        self._mooring = [registry.pid for registry in registries]
        assert place.database is not None
        self._database = [place.database.process.pid]
        self._store = [process.pid for process in place.store.processes] if place.store else []
        self._connection = connection

    def read(self) -> Cost:
        statements, commits = self._row(COUNTED)
        (wal,) = self._row(WRITTEN)
        times = os.times()
        return Cost(
            mooring=cpu_seconds(self._mooring),
            postgresql=cpu_seconds(self._database),
            store=cpu_seconds(self._store),
            client=times.user + times.system + times.children_user + times.children_system,
            statements=float(statements),
            commits=float(commits),
            wal=float(wal),
            network=float(loopback_bytes()),
        )

    def _row(self, statement: str) -> Any:
        return self._connection.execute(statement).fetchone()  # type: ignore[call-overload,unused-ignore]


def cpu_seconds(roots: Iterable[int]) -> float:
    """Of these processes, of those that came of them, and of those that ended meanwhile."""
    total, found = 0, list(roots)
    for pid in found:
        try:
            total += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / TICKS


def machine_seconds() -> float:
    """CPU time that anybody took of this machine."""
    user, nice, system, _idle, _waiting, *interrupts = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    )
    return (user + nice + system + sum(interrupts)) / TICKS


def loopback_bytes() -> int:
    line = next(each for each in Path("/proc/net/dev").read_text().splitlines() if each.lstrip().startswith("lo:"))
    return int(line.partition(":")[2].split()[0])
