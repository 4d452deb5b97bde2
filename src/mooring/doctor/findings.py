"""What a check found."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mooring.doctor.observations import Observations
from mooring.doctor.texts import Text

Confidence = Literal["certain", "likely", "possible"]
RANK: dict[Confidence, int] = {"certain": 0, "likely": 1, "possible": 2}


@dataclass(frozen=True)
class Finding:
    """`cause` is one of `causes.CAUSES`, or None for a fault that none of them is."""

    cause: str | None
    title: Text
    evidence: tuple[Text, ...]
    confidence: Confidence
    remedy: Text
    related: tuple[str, ...] = ()
    """Other causes that the same fault goes under."""
    check: str = ""
    harmless: bool = False
    """Whether pushes go through all the same, so far."""


@dataclass(frozen=True)
class Check:
    """A question, the causes that it can name, what it needs to have been looked at, and how it is answered."""

    id: str
    question: Text
    causes: tuple[str, ...]
    needs: tuple[str, ...]
    """Sources, any one of which is enough: see `sources`."""
    find: Callable[[Observations], Iterable[Finding]]


def merged(found: Iterable[Finding]) -> Sequence[Finding]:
    """One finding for a cause, with all its evidence, under the title that is surest."""
    by_cause: dict[str, Finding] = {}
    nameless: list[Finding] = []
    for finding in sorted(found, key=lambda each: RANK[each.confidence]):
        if finding.cause is None:
            nameless.append(finding)
        elif (first := by_cause.get(finding.cause)) is None:
            by_cause[finding.cause] = finding
        else:
            evidence = tuple(dict.fromkeys((*first.evidence, *finding.evidence)))
            related = tuple(dict.fromkeys((*first.related, *finding.related)))
            by_cause[finding.cause] = replace(
                first, evidence=evidence, related=related, harmless=first.harmless and finding.harmless
            )
    return sorted((*by_cause.values(), *nameless), key=_order)


def _order(finding: Finding) -> tuple[bool, int, int]:
    """What refuses most pushes first."""
    number = int(finding.cause.removeprefix("RC")) if finding.cause else 0
    return finding.harmless, RANK[finding.confidence], number
