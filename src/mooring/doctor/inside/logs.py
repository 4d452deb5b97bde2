"""Logs searched for what is known to mean something; of each match one line is kept, without what may be secret."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from mooring.doctor.inside.signatures import SIGNATURES
from mooring.doctor.observations import LogHit

DAY_SECONDS: Final = 86_400
TAIL_BYTES: Final = 32 << 20
SAMPLE: Final = 300
STAMP: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
SECRET: Final = re.compile(
    r"eyJ[\w-]+(?:\.[\w-]*)*|(?<=Bearer )\S+|(?<=Basic )\S+|(?<=password=)\S+|(?<=://)[^/\s@]*(?=@)|"
    r"(?<=_state=)[^&\s\"]+",
    re.IGNORECASE,
)


def searched(place: str, lines: Iterable[str], window_seconds: float = DAY_SECONDS) -> Iterator[LogHit]:
    """What the last day of a log has, by the newest time that stands in it."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    stamp = newest = ""
    for line in lines:
        if match := STAMP.search(line):
            stamp = match[0].replace(" ", "T")
            newest = max(newest, stamp)
        for signature in SIGNATURES:
            if hit := signature.pattern.search(line):
                who = hit.groupdict().get("who") or ""
                found.setdefault((signature.id, who), []).append((stamp, line))
    for (name, _), hits in found.items():
        recent = [(at, line) for at, line in hits if _within(at, newest, window_seconds)]
        if recent:
            times = [at for at, _ in recent if at]
            yield LogHit(
                name,
                place,
                len(recent),
                clean(recent[-1][1]),
                first=min(times, default=""),
                last=max(times, default=""),
            )


def read(path: Path) -> Iterator[str]:
    """The lines at the end of a file. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        for line in file:
            yield line.decode("utf-8", "replace").rstrip("\n")


def clean(line: str) -> str:
    return SECRET.sub("…", line).strip()[:SAMPLE]


def _within(at: str, newest: str, seconds: float) -> bool:
    if not at or not newest:
        return True
    return (datetime.fromisoformat(newest) - datetime.fromisoformat(at)).total_seconds() <= seconds
