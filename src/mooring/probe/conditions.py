"""What the scheduled probe found, as conditions of alerts."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from mooring.cluster import configuration, heartbeat
from mooring.cluster.clock import SECOND
from mooring.observe.alerts import conditions
from mooring.observe.alerts.conditions import Finding, Moment
from mooring.probe.schedule import newest

MISSED: Final = 3
"""Rounds that may be missing before it is late."""
LEAST: Final = 300 * SECOND


def probe_conditions(connection: Connection, moment: Moment) -> Iterator[Finding]:
    interval = int(moment.settings.probe_interval_seconds * SECOND)
    if not interval:
        return
    last = newest(connection)
    if last is not None and last.fault:
        yield Finding(conditions.PROBE_FAILING, "", last.fault)
    age = moment.now - (last.started_at if last is not None else _on_since(connection, moment))
    if age > max(MISSED * interval, LEAST):
        seconds = age // SECOND
        text = f"The last probe was made {seconds} seconds ago." if last else f"None was made in {seconds} seconds."
        yield Finding(conditions.PROBE_LATE, "", text)


def _on_since(connection: Connection, moment: Moment) -> int:
    """At the latest: when the configuration was last changed, or the first of those that serve was started."""
    version = configuration.newest(connection)
    started = min((each.started_at for each in heartbeat.known(connection)), default=moment.now)
    return max(started, version.changed_at if version is not None else 0)
