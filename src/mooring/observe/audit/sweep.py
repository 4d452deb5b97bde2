"""What is older than `audit_days` goes, some rows at a time, so that no push waits for it."""

from mooring.cluster.clock import Clock
from mooring.cluster.configuration import Configuration
from mooring.database import Database
from mooring.observe.audit import log

SWEEP_SECONDS = 3600.0


async def sweep(database: Database, clock: Clock, configuration: Configuration) -> None:
    days = configuration.settings.audit_days
    while await database.write(log.remove_old, clock.now(), days) == log.REMOVED_AT_ONCE:
        pass
