"""How many connections each worker has, in memory that all of them see.

Without it most go to one of them: whoever is awake takes all that come at once, and load balancers keep theirs for
hours.
"""

import ctypes
from multiprocessing.context import SpawnContext
from typing import Any

ABSENT = -1


class Shares:
    def __init__(self, spawning: SpawnContext, workers: int) -> None:
        self._counts: Any = spawning.RawArray(ctypes.c_int, [ABSENT] * workers)

    def of(self, index: int) -> "Share":
        return Share(self._counts, index)


class Share:
    """One worker's."""

    def __init__(self, counts: Any, index: int) -> None:
        self._counts = counts
        self._index = index

    def tell(self, connections: int) -> None:
        self._counts[self._index] = connections

    def end(self) -> None:
        """The worker is no more."""
        self.tell(ABSENT)

    @property
    def is_larger(self) -> bool:
        """Whether another worker has less."""
        counts: list[int] = self._counts[:]
        return counts[self._index] > min(count for count in counts if count != ABSENT)
