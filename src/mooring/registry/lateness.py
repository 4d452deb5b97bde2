"""Whether collection keeps up, as a condition of alerts."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, func, select

from mooring.cluster.clock import SECOND
from mooring.observe.alerts import conditions
from mooring.observe.alerts.conditions import Finding, Moment
from mooring.registry.tables import blob_reviews, object_removals

LEAST: Final = 3600 * SECOND
ROUNDS: Final = 10


def late_collection(connection: Connection, moment: Moment) -> Iterator[Finding]:
    settings = moment.settings
    if not settings.collection:
        return
    oldest = min(_oldest(connection, moment.now))
    late = moment.now - oldest
    if late > max(LEAST, ROUNDS * settings.collection_interval_seconds * SECOND):
        text = f"What was due for collection {late // (60 * SECOND)} minutes ago has not been looked at."
        yield Finding(conditions.WORK_LATE, "collection", text)


def _oldest(connection: Connection, now: int) -> Iterator[int]:
    for table in (blob_reviews, object_removals):
        found = connection.execute(select(func.min(table.c.due_at))).scalar()
        yield now if found is None else int(found)
