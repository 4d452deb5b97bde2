"""What became of each operation, fault by fault."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum


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


@dataclass
class Row:
    """The operations of one fault. Latencies are seconds."""

    counts: dict[Outcome, int] = field(default_factory=lambda: defaultdict(int))
    worst: float = 0.0
    examples: list[str] = field(default_factory=list)
    named: str = ""
    """What `/readyz` said of a replica that was made wrong."""

    @property
    def operations(self) -> int:
        return sum(self.counts.values())


class Tally:
    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.current = Row()

    def begin(self, fault: str) -> Row:
        self.current = self.rows.setdefault(fault, Row())
        return self.current

    def note(self, outcome: Outcome, began: float, what: str = "") -> None:
        row = self.current
        row.counts[outcome] += 1
        row.worst = max(row.worst, time.monotonic() - began)
        if outcome is not Outcome.DONE and len(row.examples) < 5:
            row.examples.append(f"{outcome}: {what}")

    def total(self, outcome: Outcome) -> int:
        return sum(row.counts[outcome] for row in self.rows.values())

    @property
    def clean(self) -> bool:
        return not any(self.total(bad) for bad in (Outcome.REFUSED, Outcome.LOST, Outcome.CORRUPT, Outcome.FAILED))


def table(tally: Tally) -> str:
    lines = [
        "| fault | operations | refused | failed | lost | corrupt | worst seconds | the wrong replica, by `/readyz` |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for fault, row in tally.rows.items():
        counts = [row.counts[outcome] for outcome in list(Outcome)[1:]]
        cells = [fault, row.operations, *counts, f"{row.worst:.1f}", row.named]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)
