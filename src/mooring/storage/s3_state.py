"""What is acknowledged of an upload in a bucket, as a text that any replica continues from."""

import secrets

import msgspec

from mooring.errors import Unavailable

MIB = 1024 * 1024
LEAST_PART = 5 * MIB
PART = 8 * MIB
LARGEST_PART = 64 * MIB
MOST_PARTS = 10_000
GONE = frozenset({"NoSuchUpload", "NoSuchKey", "404"})


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str = ""
    """Of the object that the multipart upload will make."""
    upload: str = ""
    """The multipart upload's id."""
    parts: tuple[tuple[int, str], ...] = ()
    """Number and ETag, in order. Numbers may have gaps."""
    sent: int = 0
    """Bytes in these parts."""
    tail: str = ""
    tail_size: int = 0

    @property
    def size(self) -> int:
        return self.sent + self.tail_size


def part_size(number: int) -> int:
    """Larger ones later on, so that 10,000 are enough for half a TiB."""
    return int(min(PART << (number // 1000), LARGEST_PART))


class UploadGone(Unavailable):
    """The multipart upload is not there any more."""


def new_name(key: str) -> str:
    """Of an object that no other writer of this upload uses."""
    return f"{key}-{secrets.token_hex(4)}"
