"""Counts kept in plain numbers, and handed to prometheus_client some times a second.

Its own counters cost 2 to 5 microseconds each, as they write to a file for other processes to read: too much for what
happens at every request. Numbers of one event loop, which is one thread.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

HAND_OVER_SECONDS = 0.1
"""How late another worker's `/metrics` may say it; this process' own is never late."""

Labels = tuple[str, ...]


class Tallies:
    def __init__(self, buckets: Sequence[float]) -> None:
        self._bounds = tuple(buckets)
        self._counts: dict[tuple[Counter, Labels], float] = {}
        self._observed: dict[tuple[Histogram, Labels], list[float]] = {}
        self._awaited = False

    def add(self, counter: Counter, labels: Labels, number: float) -> None:
        key = (counter, labels)
        self._counts[key] = self._counts.get(key, 0) + number
        if not self._awaited:
            self._await()

    def observe(self, histogram: Histogram, labels: Labels, seconds: float) -> None:
        """The histogram has these very buckets."""
        key = (histogram, labels)
        found = self._observed.get(key)
        if found is None:
            # One for each bucket, one for what is above them all, and the sum.
            found = self._observed[key] = [0.0] * (len(self._bounds) + 2)
        found[bisect_left(self._bounds, seconds)] += 1
        found[-1] += seconds
        if not self._awaited:
            self._await()

    def hand_over(self) -> None:
        counts, self._counts = self._counts, {}
        observed, self._observed = self._observed, {}
        self._awaited = False
        for (counter, labels), number in counts.items():
            counter.labels(*labels).inc(number)
        for (histogram, labels), numbers in observed.items():
            child = histogram.labels(*labels)
            # There is no public way to add many observations at once.
            for bucket, number in zip(child._buckets, numbers[:-1], strict=True):
                if number:
                    bucket.inc(number)
            child._sum.inc(numbers[-1])

    def _await(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Without a loop nobody asks for metrics meanwhile.
            return
        self._awaited = True
        loop.call_later(HAND_OVER_SECONDS, self.hand_over)
