"""Makes the parts from settings, and puts them together: the one place where they meet."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mooring import background
from mooring.access.admissions import Admissions
from mooring.access.authorizer import Authorizer
from mooring.access.caller import Callers
from mooring.access.epoch import Epoch
from mooring.access.keyholder import KeyHolder
from mooring.access.rotation import Rotation
from mooring.access.standing import Standings
from mooring.cluster import identity
from mooring.cluster.clock import Clock
from mooring.cluster.configuration import Configuration, newest
from mooring.cluster.master_key import MasterKey, master_key
from mooring.cluster.naming import given_name, replica_name
from mooring.cluster.readiness import Readiness
from mooring.database import Database
from mooring.database.connect import connect
from mooring.database.schema import require_served
from mooring.errors import ConfigurationError
from mooring.identity.credentials import Credentials
from mooring.jobs.turns import Turns
from mooring.jobs.work import Work
from mooring.observe.alerts.outage import Outage
from mooring.observe.alerts.watchman import Watchman
from mooring.observe.denials.recorder import Recorder
from mooring.observe.metrics import Metrics
from mooring.probe.schedule import Prober
from mooring.projects import standing
from mooring.registry.collector import Collector
from mooring.registry.pulls import Pulls
from mooring.registry.registry import Registry
from mooring.registry.uploads import Hashes
from mooring.settings import Settings
from mooring.storage import Store
from mooring.storage.connect import open_store
from mooring.watch import Watch


@dataclass(frozen=True)
class Parts:
    """Everything that one worker process holds. Whether it is the cluster's is for `readiness` to see."""

    settings: Settings
    replica: str
    database: Database
    store: Store
    master_key: MasterKey
    clock: Clock
    keys: KeyHolder
    rotation: Rotation
    epoch: Epoch
    configuration: Configuration
    credentials: Credentials
    callers: Callers
    standings: Standings
    authorizer: Authorizer
    collector: Collector
    registry: Registry
    prober: Prober
    watchman: Watchman
    outage: Outage
    metrics: Metrics
    denials: Recorder
    readiness: Readiness
    works: Sequence[Work]
    turns: Turns
    watch: Watch


def assemble(settings: Settings) -> Parts:
    replica = replica_name(settings)
    database = connect(settings)
    sealing = master_key(settings, create=False)
    store = open_store(settings, database.read_now(identity.cluster_id))
    clock = Clock(database)
    keys = KeyHolder(database, sealing)
    epoch = Epoch(database)
    configuration = Configuration(database, settings)
    # What a schema holds that is not ours says nothing to us.
    with contextlib.suppress(ConfigurationError):
        database.read_now(require_served)
        configuration.adopt(database.read_now(newest))
    credentials = Credentials(database, clock)
    callers = Callers(credentials, keys, clock)
    standings = Standings(database, clock, epoch, standing.evaluate)
    authorizer = Authorizer(standings)
    metrics = Metrics(given_name(settings), clock.seconds)
    database.observed_by(metrics.transaction)
    store.observed_by(metrics.stored)
    readiness = Readiness(
        {
            "schema": partial(database.read, require_served),
            "master_key": partial(database.read, identity.require_master_key, sealing),
            "database": epoch.poll,
            "store": store.check,
            "keyring": keys.signing,
        }
    )
    collector = Collector(database, store, clock, configuration)
    prober = Prober(database, clock, configuration, replica, metrics)
    watchman = Watchman(database, clock, configuration, background.SOURCES)
    works = background.works(database, clock, configuration, collector, prober, watchman, metrics)
    engine = background.engine(settings, works, metrics, clock)
    return Parts(
        settings=settings,
        replica=replica,
        database=database,
        store=store,
        master_key=sealing,
        clock=clock,
        keys=keys,
        rotation=Rotation(database, clock, keys, sealing, configuration, replica),
        epoch=epoch,
        configuration=configuration,
        credentials=credentials,
        callers=callers,
        standings=standings,
        authorizer=authorizer,
        collector=collector,
        registry=Registry(
            database,
            store,
            clock,
            configuration,
            callers,
            authorizer,
            Admissions(epoch, clock),
            standing.visible,
            Hashes(),
            Pulls(),
        ),
        prober=prober,
        watchman=watchman,
        outage=Outage(database, clock, configuration, readiness, given_name(settings)),
        metrics=metrics,
        denials=Recorder(replica, clock.now),
        readiness=readiness,
        works=works,
        turns=Turns(engine, settings, database, clock, readiness),
        watch=Watch(database, clock, configuration, readiness, metrics),
    )
