"""What a process does to be one of the replicas: joins them, is heard of, keeps up, and leaves."""

import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy.exc import DBAPIError

from mooring.access.epoch import POLL_SECONDS
from mooring.assembly import Parts
from mooring.cluster import heartbeat, naming
from mooring.cluster.clock import SECOND
from mooring.cluster.heartbeat import Pulse
from mooring.errors import MooringError
from mooring.jobs.periodic import Periodic
from mooring.jobs.turns import LOOK_SECONDS
from mooring.observe.alerts.outage import LOOK_SECONDS as OUTAGE_SECONDS
from mooring.probe.schedule import SHOW_SECONDS

HEARTBEAT_SECONDS = 5.0
KEYS_SECONDS = 1.0
CONFIGURATION_SECONDS = 1.0
READINESS_SECONDS = 1.0
DENIALS_SECONDS = 1.0


async def leave(parts: Parts) -> None:
    await parts.turns.rest()
    parts.outage.release()
    with contextlib.suppress(MooringError):
        await parts.database.write(heartbeat.leave, parts.replica)
    await parts.store.disconnect()
    parts.store.close()
    parts.database.close()


async def join(parts: Parts) -> None:
    """Load the keys and say so, so that the first request finds a replica that others know."""
    if not parts.readiness.wrong():
        await parts.epoch.poll()
        await parts.rotation.turn()
        await parts.readiness.look()
    await beat(parts)
    await ours(parts, parts.rotation.turn)()


def ours(parts: Parts, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Work for the cluster, left to others while this replica is not one of it."""

    async def run() -> None:
        if not parts.readiness.wrong():
            await work()

    return run


async def look(parts: Parts, role: str) -> None:
    await parts.readiness.look()
    parts.watch.note(role)


async def beat(parts: Parts, role: str = heartbeat.SERVER) -> None:
    await parts.clock.follow()
    offset, error = parts.clock.wall_offset, parts.clock.error
    parts.metrics.clock(offset / SECOND, error / SECOND)
    failed = dict(parts.readiness.failures())
    pulse = Pulse(
        ready=not failed,
        failed=failed,
        keys=sorted(parts.keys.keyring.keys),
        configuration_version=parts.configuration.version,
        clock_offset=offset,
        clock_error=error,
        server=naming.server(),
        host=naming.host(),
        master_keys=parts.master_key.fingerprints,
        role=role,
        address=parts.settings.address or "",
        settings=parts.configuration.told(),
    )
    try:
        now = parts.clock.now()
        await parts.database.write(heartbeat.beat, now, parts.replica, pulse)
        twice = heartbeat.namesakes(await parts.database.read(heartbeat.known), now)
        own = naming.given_name(parts.settings)
        parts.readiness.warnings = {"name": heartbeat.shared_name(own, twice[own])} if own in twice else {}
    except DBAPIError:
        # A schema that is not ours may have no place for it.
        if not parts.readiness.wrong():
            raise


def serving(parts: Parts) -> list[Periodic]:
    """What each process that serves has to do for itself."""
    return [
        *living(parts, heartbeat.SERVER),
        Periodic("epoch", POLL_SECONDS, ours(parts, parts.epoch.poll)),
        Periodic("keys", KEYS_SECONDS, ours(parts, partial(parts.rotation.turn_counted, parts.metrics))),
        Periodic("pulls", HEARTBEAT_SECONDS, ours(parts, partial(parts.registry.pulls.flush, parts.database))),
        Periodic("denials", DENIALS_SECONDS, ours(parts, partial(parts.denials.flush, parts.database))),
    ]


def living(parts: Parts, role: str) -> list[Periodic]:
    """What each process has to do for itself, whatever it is for."""
    return [
        Periodic("readiness", READINESS_SECONDS, partial(look, parts, role)),
        Periodic("heartbeat", HEARTBEAT_SECONDS, partial(beat, parts, role)),
        Periodic("configuration", CONFIGURATION_SECONDS, ours(parts, parts.configuration.refresh)),
        Periodic("probe", SHOW_SECONDS, ours(parts, parts.prober.show)),
        Periodic("outage", OUTAGE_SECONDS, parts.outage.turn),
        Periodic("jobs", LOOK_SECONDS, partial(parts.turns.turn, worker=role == heartbeat.WORKER)),
    ]
