"""What the scheduled probe found, as conditions of alerts."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from mooring.cluster.clock import SECOND
from mooring.observe.alerts import conditions
from mooring.observe.alerts.conditions import Finding, Moment
from mooring.probe.schedule import newest

MISSED: Final = 3
"""Rounds that may be missing before it is late."""
LEAST: Final = 300 * SECOND


def probe_conditions(connection: Connection, moment: Moment) -> Iterator[Finding]:
    interval = int(moment.settings.probe_interval_seconds * SECOND)
    last = newest(connection) if interval else None
    if last is None:
        return
    if last.fault:
        yield Finding(conditions.PROBE_FAILING, "", last.fault)
    age = moment.now - last.started_at
    if age > max(MISSED * interval, LEAST):
        yield Finding(conditions.PROBE_LATE, "", f"The last probe was made {age // SECOND} seconds ago.")
