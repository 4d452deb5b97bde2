"""What became of each operation, fault by fault and client by client."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES = 8
THROTTLED = ("our client, throttled", "skopeo, throttled")
"""Made to be slow: how long they take says nothing."""


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    """Answered 401, 403 or 404 although everything was right: what must never happen."""
    FAILED = "failed"
    """Given up after the client's own retries."""
    LOST = "lost"
    """Acknowledged, and not there any more."""
    CORRUPT = "corrupt"
    """There, with other bytes."""


BAD = (Outcome.REFUSED, Outcome.LOST, Outcome.CORRUPT)


@dataclass
class Row:
    """The operations of one fault. Latencies are seconds."""

    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    worst: float = 0.0
    examples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the fault itself saw, such as what `/readyz` said of a replica that was made wrong."""
    missing: list[str] = field(default_factory=list)
    """What it should have seen and did not."""

    def of(self, outcome: Outcome, client: str | None = None) -> int:
        return sum(n for (who, what), n in self.counts.items() if what is outcome and client in (None, who))

    @property
    def operations(self) -> int:
        return self.counts.total()

    def note(self, client: str, outcome: Outcome, began: float, what: str = "") -> None:
        self.counts[client, outcome] += 1
        if client not in THROTTLED:
            self.worst = max(self.worst, time.monotonic() - began)
        if outcome is not Outcome.DONE and len(self.examples) < EXAMPLES:
            self.examples.append(f"{outcome}, {client}: {' '.join(what.split())[-400:]}")


class Tally:
    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.current = Row()
        """Of the fault that began last: what begins now is counted there, whenever it ends."""

    def begin(self, fault: str) -> Row:
        self.current = self.rows.setdefault(fault, Row())
        return self.current

    def total(self, outcome: Outcome) -> int:
        return sum(row.of(outcome) for row in self.rows.values())

    @property
    def operations(self) -> int:
        return sum(row.operations for row in self.rows.values())

    @property
    def clients(self) -> list[str]:
        return sorted({client for row in self.rows.values() for client, _ in row.counts})

    def idle(self) -> list[str]:
        """Clients that did nothing, whatever they tried. One that was throttled tries but once."""
        return [
            client
            for client in self.clients
            if client not in THROTTLED and not any(row.of(Outcome.DONE, client) for row in self.rows.values())
        ]


HEADS = ("operations", "refused", "failed", "lost", "corrupt", "worst seconds")


def by_fault(tally: Tally) -> str:
    rows = [(fault, row.operations, *_bad(row), f"{row.worst:.1f}") for fault, row in tally.rows.items()]
    worst = max((row.worst for row in tally.rows.values()), default=0.0)
    bad = [tally.total(outcome) for outcome in list(Outcome)[1:]]
    return _table(("fault", *HEADS), [*rows, ("**all**", tally.operations, *bad, f"{worst:.1f}")])


def by_client(tally: Tally) -> str:
    rows = []
    for client in tally.clients:
        counts = [sum(row.of(outcome, client) for row in tally.rows.values()) for outcome in Outcome]
        rows.append((client, sum(counts), *counts[1:]))
    return _table(("client", *HEADS[:-1]), rows)


def _bad(row: Row) -> list[int]:
    return [row.of(outcome) for outcome in list(Outcome)[1:]]


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    words = list(heads)
    rule = "|---|" + "---:|" * (len(words) - 1)
    return "\n".join([f"| {' | '.join(words)} |", rule, *(f"| {' | '.join(map(str, row))} |" for row in rows)])
