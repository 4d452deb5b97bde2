"""What the logs say."""

from collections import defaultdict
from collections.abc import Iterator

from mooring.doctor.checks.readings import named
from mooring.doctor.findings import RANK, Finding
from mooring.doctor.inside.signatures import BY_ID
from mooring.doctor.observations import LogHit, Observations
from mooring.doctor.texts import Text, counted


def known_lines(seen: Observations) -> Iterator[Finding]:
    by_cause: dict[str, list[LogHit]] = defaultdict(list)
    for hit in seen.logs:
        signature = BY_ID.get(hit.signature)
        if signature is not None and hit.count >= signature.least and not _explained(hit, seen):
            by_cause[signature.cause].append(hit)
    for cause, hits in by_cause.items():
        confidence = min((BY_ID[hit.signature].confidence for hit in hits), key=RANK.__getitem__)
        yield named(cause, confidence, *(_told(hit) for hit in hits[:4]))


def _explained(hit: LogHit, seen: Observations) -> bool:
    """Clocks hours apart make tokens look expired as well."""
    return hit.signature == "expired" and any(other.signature == "not-valid-yet" for other in seen.logs)


def _told(hit: LogHit) -> Text:
    when = f" ({hit.first} … {hit.last})" if hit.first else ""
    return Text(
        f"log of {hit.place}: {counted(hit.count, 'time')}{when}: {hit.sample}",
        f"{hit.place} 的日志：{hit.count} 次{when}：{hit.sample}",
    )
