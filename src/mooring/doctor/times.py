"""Times as others write them down."""

from datetime import datetime

from mooring.cluster.clock import SECOND, rfc3339


def seconds_of(stamp: object) -> float:
    """Unix time of an ISO 8601 stamp; 0 for what is none."""
    try:
        return datetime.fromisoformat(str(stamp)).timestamp()
    except ValueError:
        return 0


def shown(seconds: float) -> str:
    """RFC 3339 of a Unix time."""
    return rfc3339(round(seconds * SECOND))
