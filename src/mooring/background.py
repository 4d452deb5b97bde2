"""The work of the whole cluster, and what has it done."""

from collections.abc import Sequence
from functools import partial

from mooring.access import refresh
from mooring.cluster.clock import Clock
from mooring.cluster.configuration import Configuration
from mooring.database import Database
from mooring.jobs.embedded import Embedded
from mooring.jobs.turns import Engine
from mooring.jobs.work import Work
from mooring.observe.alerts.conditions import Source
from mooring.observe.alerts.keys import keys
from mooring.observe.alerts.refusals import refusals
from mooring.observe.alerts.replicas import replicas
from mooring.observe.alerts.watchman import Watchman
from mooring.observe.audit.sweep import SWEEP_SECONDS as AUDIT_SECONDS
from mooring.observe.audit.sweep import sweep as sweep_audit
from mooring.observe.denials.sweep import SWEEP_SECONDS as DENIALS_SECONDS
from mooring.observe.denials.sweep import sweep as sweep_denials
from mooring.observe.metrics import Metrics
from mooring.probe import schedule
from mooring.probe.conditions import probe_conditions
from mooring.probe.schedule import Prober
from mooring.registry.collector import Collector
from mooring.registry.lateness import late_collection
from mooring.settings import Settings

SWEEP_SECONDS = 3600.0
LOCK = "work.lock"
SOURCES: Sequence[Source] = (refusals, replicas, keys, late_collection, probe_conditions)
"""Where the conditions of alerts come from."""


def works(
    database: Database,
    clock: Clock,
    configuration: Configuration,
    collector: Collector,
    prober: Prober,
    watchman: Watchman,
    metrics: Metrics,
) -> Sequence[Work]:
    async def sweep_refresh_tokens() -> None:
        await database.write(refresh.sweep, clock.now())

    return [
        Work(
            "collection",
            partial(collector.run_counted, metrics),
            lambda: configuration.settings.collection_interval_seconds,
        ),
        Work("refresh_tokens", sweep_refresh_tokens, lambda: SWEEP_SECONDS),
        Work("alerts", watchman.turn, lambda: watchman.seconds),
        Work("probe", prober.turn, partial(schedule.look_seconds, configuration)),
        Work("audit", partial(sweep_audit, database, clock, configuration), lambda: AUDIT_SECONDS),
        Work("denials", partial(sweep_denials, database, clock, configuration), lambda: DENIALS_SECONDS),
    ]


def engine(settings: Settings, works: Sequence[Work], metrics: Metrics, clock: Clock) -> Engine:
    """Procrastinate where the database is PostgreSQL, else a lock on this machine."""
    if not settings.database_is_shared:
        return Embedded(works, metrics, settings.data / LOCK).run
    # A registry on SQLite has no use for what this brings.
    from mooring.database.postgresql import parameters  # noqa: PLC0415
    from mooring.jobs.doorbell import Doorbell  # noqa: PLC0415

    assert settings.database_url is not None
    return Doorbell(works, metrics, parameters(settings.database_url.get_secret_value()), clock).run
