"""From what a visit costs to what a cluster of many replicas does: which part of it is full first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.costs import NOTHING, Cost
from bench.queueing import Solved, Station, solve
from bench.visits import CLIENTS
from mooring.database.postgresql import MOST_CONNECTIONS, THREADS

SYNCS_WAITED: Final = 1.5
"""By a commit: one half of the sync that is under way, and its own, which it shares with all that came meanwhile."""
FULL: Final = 0.95
MOST: Final = 300


@dataclass(frozen=True)
class Machines:
    database_cores: int
    store_cores: int = 32
    replica_cores: int = 2
    workers: int = 2
    sync_seconds: float = 0.001
    connections: int = 100
    """`max_connections`, as PostgreSQL comes."""


@dataclass(frozen=True)
class Answer:
    replicas: int
    rate: float
    seconds: float
    used: Mapping[str, float]
    """The share of each part that is in use, by its name; over 1 for what is asked for and not there."""

    @property
    def first(self) -> str:
        return max(self.used, key=lambda name: self.used[name])


def mixed(costs: Mapping[str, Cost], mix: Mapping[str, float]) -> Cost:
    """Of one visit on average."""
    total = NOTHING
    for kind, share in mix.items():
        total = total + costs[kind] * share
    return total


def network(visit: Cost, idle: Cost, machines: Machines, replicas: int) -> list[Station]:
    """`idle` is what a replica costs in each second while nobody asks."""
    own = machines.replica_cores - idle.mooring
    # A database that is busy with replicas that do nothing has nothing left: the rest stays small, but not zero.
    database = max(machines.database_cores - replicas * idle.postgresql, 0.01 * machines.database_cores)
    return [
        Station("the replicas' CPU", visit.mooring, own, replicas),
        Station("PostgreSQL's CPU", visit.postgresql, database),
        Station("the S3 server's CPU", visit.store, machines.store_cores),
    ]


def scaled(visit: Cost, idle: Cost, machines: Machines, replicas: int) -> Answer:
    stations = network(visit, idle, machines, replicas)
    disk = visit.commits * machines.sync_seconds * SYNCS_WAITED
    solved = solve(stations, CLIENTS * machines.workers * replicas, disk)
    used = {each.name: solved.used(each) for each in stations}
    return Answer(replicas, solved.rate, solved.seconds, used | {"commits": commits(solved, visit, machines, replicas)})


def commits(solved: Solved, visit: Cost, machines: Machines, replicas: int) -> float:
    """The share of what the disk of the log can take: each sync takes all commits that wait, one of each thread."""
    writers = replicas * machines.workers * THREADS
    return solved.rate * visit.commits * SYNCS_WAITED * machines.sync_seconds / writers


def pooled(machines: Machines, replicas: int) -> int:
    """Connections that the replicas' pools may have open."""
    return replicas * machines.workers * MOST_CONNECTIONS


def useful(visit: Cost, idle: Cost, machines: Machines) -> Answer:
    """The fewest replicas that do nearly as much as any number of them."""
    tried = [scaled(visit, idle, machines, replicas) for replicas in range(1, MOST + 1)]
    best = max(each.rate for each in tried)
    return next(each for each in tried if each.rate >= FULL * best)
