"""Whether collection keeps up, as a condition of alerts."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from mooring.cluster.clock import SECOND
from mooring.observe.alerts import conditions
from mooring.observe.alerts.conditions import Finding, Moment
from mooring.registry.backlog import backlogs

LEAST: Final = 3600 * SECOND
ROUNDS: Final = 10


def late_collection(connection: Connection, moment: Moment) -> Iterator[Finding]:
    settings = moment.settings
    if not settings.collection:
        return
    late = max(each.behind for each in backlogs(connection, moment.now, settings).values())
    if late > max(LEAST, ROUNDS * settings.collection_interval_seconds * SECOND):
        text = f"What was due for collection {late // (60 * SECOND)} minutes ago has not been looked at."
        yield Finding(conditions.WORK_LATE, "collection", text)
