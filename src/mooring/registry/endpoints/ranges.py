"""Byte ranges, of downloads (RFC 9110, section 14) and of upload chunks (distribution-spec, "Pushing in chunks")."""

import re
from dataclasses import dataclass

from mooring.errors import RangeInvalid, UploadInvalid

CHUNK = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/(?:\d{1,18}|\*))?")
SINGLE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class ByteRange:
    start: int
    end: int
    """The last byte, itself included."""

    @property
    def length(self) -> int:
        return self.end - self.start + 1


def parse_chunk(header: str) -> ByteRange:
    """Raises UploadInvalid."""
    found = CHUNK.fullmatch(header.strip())
    if found is None or int(found[2]) < int(found[1]):
        raise UploadInvalid(f"Content-Range is not FIRST-LAST: {header[:80]!r}.")
    return ByteRange(int(found[1]), int(found[2]))


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """None for the whole: without a header, and for what RFC 9110 lets a server ignore (other units, several ranges).

    Raises RangeInvalid for one that no byte satisfies.
    """
    found = SINGLE.fullmatch(header.strip()) if header else None
    if found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size or end < start or (not first and int(last) == 0):
        raise RangeInvalid(f"The blob has {size} bytes.", headers={"content-range": f"bytes */{size}"})
    return ByteRange(start, end)
