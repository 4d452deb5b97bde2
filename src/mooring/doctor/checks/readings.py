"""What several checks read out of the same observations."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Final, Literal

from mooring.doctor.causes import CAUSES
from mooring.doctor.findings import Confidence, Finding
from mooring.doctor.observations import Answer, Crossing, Door, Grant, Observations, Token
from mooring.doctor.texts import Text

LEEWAY_SECONDS: Final = 60
"""What Harbor forgives between clocks since 2.11; before, nothing."""
NEAR_SECONDS: Final = 3
WORTH_SAYING_SECONDS: Final = 10
"""Clocks so far apart are told of, though they refuse nothing yet."""
REGISTRY_REALM: Final = "harbor-registry-basic-realm"
MISSING_PROJECT: Final = re.compile(r"project (\S+) not found")


def named(
    cause: str,
    confidence: Confidence,
    *evidence: Text,
    title: Text | None = None,
    related: tuple[str, ...] = (),
    harmless: bool = False,
) -> Finding:
    known = CAUSES[cause]
    return Finding(
        cause, title or known.title, tuple(evidence), confidence, known.remedy, related=related, harmless=harmless
    )


def doors(seen: Observations) -> Sequence[Door]:
    """Those that answered."""
    return [door for door in seen.asked.doors if door.ping.status] if seen.asked else []


def grants(door: Door) -> Sequence[Grant]:
    return (*door.anonymous, *((door.stranger,) if door.stranger else ()), *door.logins)


def tokens(door: Door) -> Iterator[tuple[Grant, Token]]:
    return ((grant, grant.token) for grant in grants(door) if grant.token)


def kids(door: Door) -> Counter[str]:
    return Counter(token.kid for _, token in tokens(door))


def all_kids(seen: Observations) -> set[str]:
    return {kid for door in doors(seen) for kid in kids(door)}


def judging_seconds(door: Door, answer: Answer) -> float:
    """How long an answer took beyond what any answer takes there. Harbor sleeps for 1.5 s on a wrong password."""
    usual = [grant.answer.seconds for grant in door.anonymous if grant.token]
    return answer.seconds - (median(usual) if usual else 0)


def signing_failures(door: Door) -> Sequence[Grant]:
    """A core without a good key answers the token endpoint with 500 and nothing else."""
    return [grant for grant in grants(door) if grant.answer.status == 500 and not grant.answer.body.strip()]


def clock_offsets(door: Door) -> Sequence[float]:
    """How far the clock of who signed is ahead of ours, in seconds; each within a second and half the round trip."""
    return [token.issued_at - grant.answer.at + 0.5 for grant, token in tokens(door) if token.issued_at]


def clock_spread(seen: Observations) -> float:
    """The greatest distance between two clocks that signed, less what measuring can err by; in seconds."""
    found = [
        (token.issued_at - grant.answer.at, 1 + grant.answer.seconds / 2)
        for door in doors(seen)
        for grant, token in tokens(door)
        if token.issued_at
    ]
    if len(found) < 2:
        return 0
    low, high = min(found), max(found)
    return max(0.0, high[0] - low[0] - low[1] - high[1])


def versions(seen: Observations) -> dict[str, str]:
    """By door or instance, as each says."""
    found = {door.name: door.info.version for door in doors(seen) if door.info.version}
    found |= {each.name: each.version for each in seen.instances if each.component == "core" and each.version}
    return found


def release(version: str) -> tuple[int, int, int] | None:
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def oldest_release(seen: Observations) -> tuple[int, int, int] | None:
    found = [number for version in versions(seen).values() if (number := release(version))]
    return min(found) if found else None


def leeway_seconds(seen: Observations) -> int:
    oldest = oldest_release(seen)
    return 0 if oldest is not None and oldest < (2, 11, 0) else LEEWAY_SECONDS


def clocks_refuse(seen: Observations, spread_seconds: float) -> bool:
    """Whether clocks so far apart make cores refuse each other's tokens, or are about to."""
    return spread_seconds > max(leeway_seconds(seen) - NEAR_SECONDS, 2)


def challenge(answer: Answer) -> str | None:
    return answer.headers.get("www-authenticate")


def astray(door: Door) -> Sequence[Answer]:
    """Answers to `GET /v2/` without credentials that no registry gives: it would be 401 with a challenge."""
    return [
        answer
        for answer in door.challenges
        if answer.status and answer.status != 401 and answer.status not in {500, 502, 503, 504}
    ]


def by_registry(answer: Answer) -> bool:
    """Whether a 401 is distribution's own, of a core's credential rather than of the client's."""
    return answer.status == 401 and REGISTRY_REALM in (challenge(answer) or "")


def authorized_answers(door: Door) -> Iterable[Answer]:
    """Answers to requests that carried an Authorization."""
    return (*door.reads, *door.uploads, *((door.mount,) if door.mount else ()))


def crossings(seen: Observations, kind: Literal["token", "upload", "csrf"]) -> Sequence[Crossing]:
    return [crossing for crossing in seen.asked.crossings if crossing.kind == kind] if seen.asked else []


def told(answer: Answer) -> str:
    """An answer in one line."""
    if not answer.status:
        return answer.trouble
    return f"{answer.status} {' '.join(answer.body.split())[:200]}".strip()
