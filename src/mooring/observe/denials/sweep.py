"""What is old or too much in the denial log goes, some rows at a time, so that no push waits for it."""

from mooring.cluster.clock import Clock
from mooring.cluster.configuration import Configuration
from mooring.database import Database
from mooring.observe.denials import log

SWEEP_SECONDS = 60.0


async def sweep(database: Database, clock: Clock, configuration: Configuration) -> None:
    settings = configuration.settings
    newest = await database.read(log.newest_to_go, clock.now(), settings.denial_days, settings.denial_rows)
    while await database.write(log.remove, newest) == log.REMOVED_AT_ONCE:
        pass
