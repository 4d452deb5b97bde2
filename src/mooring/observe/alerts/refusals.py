"""Refusals that a sound cluster never makes, by the denial log."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from mooring.cluster.clock import SECOND
from mooring.observe.alerts import conditions
from mooring.observe.alerts.conditions import Finding, Moment
from mooring.observe.denials.log import by_reason
from mooring.refusals import Reason

WINDOW: Final = 300 * SECOND
MOST: Final = 3
"""In that time, of one reason: anybody may send a forged token now and then."""

IMPOSSIBLE: Final = frozenset(
    {
        Reason.UNKNOWN_KID,
        Reason.BAD_SIGNATURE,
        Reason.NOT_YET_VALID,
        Reason.WRONG_ISSUER,
    }
)
"""No token that this cluster issued is refused for one of these by any of its replicas."""


def refusals(connection: Connection, moment: Moment) -> Iterator[Finding]:
    for group in by_reason(connection, moment.now - WINDOW):
        if group.reason in IMPOSSIBLE and group.occurrences > MOST:
            minutes = WINDOW // (60 * SECOND)
            text = f"{group.occurrences} tokens were refused for {group.reason} in the last {minutes} minutes"
            yield Finding(
                conditions.IMPOSSIBLE_REFUSALS, group.reason, f"{text}, by {group.replicas} of the processes."
            )
