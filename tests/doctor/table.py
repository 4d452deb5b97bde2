"""Every way in which a Harbor is broken in these tests: what had to be named, what was, by what evidence, in how long.

`python -m tests.doctor.table` prints it; with `--write` it goes into docs/doctor.md.
"""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mooring.doctor.examination import Diagnosis, diagnose
from mooring.doctor.observations import Observations
from mooring.doctor.outside.harbor import examine
from mooring.egress.client import Egress, Policy
from tests.doctor import test_compose, test_logs, test_objects
from tests.doctor.harbor import Key, make_key
from tests.doctor.scenarios import SCENARIOS, Scenario, running

PAGE: Final = Path(__file__).parents[2] / "docs" / "doctor.md"
BEGIN: Final = "<!-- scenarios: written by python -m tests.doctor.table --write -->\n"
END: Final = "<!-- scenarios: end -->"
AT_ONCE: Final = 16
LONGEST: Final = 110
MASKS: Final = (
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"\b([A-Z2-7]{4}):(?:[A-Z2-7]{4}:){10}[A-Z2-7]{4}\b"), r"\1:…"),
    (re.compile(r"\S*/(node\d/)"), r"\1"),
)


@dataclass(frozen=True)
class Run:
    diagnosis: Diagnosis
    seconds: float
    uploads_left: int


@dataclass(frozen=True)
class Row:
    looked_at: str
    name: str
    wanted: str
    """Causes with blanks between; `?` stands for a fault that is no known cause."""
    diagnosis: Diagnosis
    seconds: float

    @property
    def named(self) -> set[str]:
        return {finding.cause or "?" for finding in self.diagnosis.findings}

    @property
    def right(self) -> bool:
        return self.named == set(self.wanted.split())


def outside() -> Mapping[str, Run]:
    """All scenarios, side by side: most of the time each waits for a lock of 1.5 s."""
    key, other = make_key(), make_key()

    async def everything() -> Mapping[str, Run]:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(scenario: Scenario) -> Run:
            async with places:
                return await _run(scenario, key, other)

        found = await asyncio.gather(*(one(scenario) for scenario in SCENARIOS))
        return {scenario.name: each for scenario, each in zip(SCENARIOS, found, strict=True)}

    return asyncio.run(everything())


async def _run(scenario: Scenario, key: Key, other: Key) -> Run:
    started = time.monotonic()
    policy = Policy(private=True, timeout_seconds=scenario.timeout_seconds)
    async with running(scenario, key, other) as (harbor, question), Egress(policy) as egress:
        asked, gaps = await examine(egress, question)
        left = sum(len(core.registry.uploads) for core in harbor.cores)
        seen = Observations(made_at=time.time(), tool="test", target="harbor", asked=asked, gaps=gaps)
        return Run(diagnose(seen), time.monotonic() - started, left)


def rows() -> Iterator[Row]:
    found = outside()
    for scenario in SCENARIOS:
        run = found[scenario.name]
        yield Row("outside", scenario.name, scenario.causes, run.diagnosis, run.seconds)
    for name, wanted, broken in test_compose.CASES:
        with tempfile.TemporaryDirectory() as directory:
            started = time.monotonic()
            diagnosis = test_compose.diagnosed(Path(directory), broken)
            yield Row("compose", name, wanted, diagnosis, time.monotonic() - started)
    for name, wanted, change in test_objects.CASES:
        namespace = test_objects.sound()
        change(namespace)
        started = time.monotonic()
        yield Row("Kubernetes", name, wanted, test_objects.diagnosed(namespace), time.monotonic() - started)
    for cause, lines in test_logs.LINES.items():
        started = time.monotonic()
        diagnosis = diagnose(test_logs.found(lines[:1]))
        yield Row("log", f"a line of {cause}", cause, diagnosis, time.monotonic() - started)


def table(found: Iterator[Row]) -> Iterator[str]:
    yield "| looked at | scenario | cause | named | evidence | seconds |"
    yield "|---|---|---|---|---|---|"
    for row in found:
        named = ("yes" if row.right else "NO") if row.wanted else "nothing, rightly" if row.right else "FALSE"
        wanted = row.wanted.replace("?", "none known")
        cells = (row.looked_at, row.name, wanted, named, evidence(row.diagnosis), f"{row.seconds:.1f}")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def evidence(diagnosis: Diagnosis) -> str:
    text = next((line.en for finding in diagnosis.findings for line in finding.evidence), "")
    for mask, shown in MASKS:
        text = mask.sub(shown, text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def written(page: str, lines: list[str]) -> str:
    """The page with these lines in their place. Raises ValueError where it has none."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"{PAGE} has no place for the scenarios")
    return "\n".join([f"{before}{BEGIN}", *lines, "", f"{END}{after}"])


if __name__ == "__main__":
    lines = list(table(rows()))
    print("\n".join(lines))
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")
