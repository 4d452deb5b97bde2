"""What others send as JSON, taken for what it should be: a wrong shape is an empty one, and never an error."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

GREATEST: Final = 2**53


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def number(value: Any) -> float:
    """0 for what is none, and for what no date or size ever is."""
    fine = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < GREATEST
    return float(value) if fine and math.isfinite(value) else 0.0


def word(value: Any) -> str:
    """Empty for nothing; half a surrogate pair, which no file can hold, is replaced."""
    return str(value).encode("utf-8", "replace").decode() if value not in (None, False) else ""
