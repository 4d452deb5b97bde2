"""A closed queueing network, solved by mean value analysis: a fixed number of clients, each asks again when answered.

One client more than before meets the queues that the others make without him (the arrival theorem), so queues and
rates follow for one client, for two, and so on. It is exact for stations with one server each. One of several servers
is taken as one that is so many times faster, and a fixed wait for the rest of the work's time (Seidmann's
approximation): exact for a single client and at saturation, some percent too slow between the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Station:
    name: str
    demand: float
    """Seconds of one server's time that a visit needs."""
    servers: float = 1.0
    """At each of the copies; a part of one may be taken by other work."""
    copies: int = 1
    """Equal ones, each with a queue of its own, between which visits are spread evenly."""

    @property
    def most(self) -> float:
        """Visits a second that it can serve: infinitely many where they need nothing of it."""
        return self.servers * self.copies / self.demand if self.demand else float("inf")


@dataclass(frozen=True)
class Solved:
    rate: float
    """Visits a second."""
    seconds: float
    """From a client's question to its answer."""

    def used(self, station: Station) -> float:
        """The share of its time that a station is busy."""
        return self.rate / station.most


def solve(stations: Sequence[Station], clients: int, rest: float = 0.0) -> Solved:
    """`rest` is the time of a visit in which it waits for nobody: of a disk, or of its client's thoughts."""
    queues = [0.0] * len(stations)
    waits = rest + sum(each.demand * (1 - 1 / max(1.0, each.servers)) for each in stations)
    solved = Solved(0.0, 0.0)
    for number in range(1, clients + 1):
        times = [
            each.demand / max(1.0, each.servers) * (1 + queue) for each, queue in zip(stations, queues, strict=True)
        ]
        seconds = waits + sum(times)
        solved = Solved(number / seconds, seconds)
        queues = [solved.rate * time / each.copies for each, time in zip(stations, times, strict=True)]
    return solved


def bounds(stations: Sequence[Station], clients: int, rest: float = 0.0) -> float:
    """A rate that no network of these stations can pass, whatever its queues do."""
    alone = rest + sum(each.demand for each in stations)
    return min([clients / alone, *(each.most for each in stations)])
