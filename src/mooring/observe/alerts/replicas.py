"""Conditions of the replicas, by what each last said of itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from mooring.cluster import configuration, heartbeat
from mooring.cluster.clock import SECOND
from mooring.cluster.heartbeat import Replica
from mooring.observe.alerts import conditions
from mooring.observe.alerts.conditions import Finding, Moment

CLOCK_SECONDS: Final = 30
"""How far off a wall clock may be: object stores refuse from minutes on."""
ERROR_SECONDS: Final = 2
"""How wide the bound on cluster time's error may be."""
READ: Final = 15 * SECOND
"""By then every replica has read a change, and said so in a heartbeat."""


def replicas(connection: Connection, moment: Moment) -> Iterator[Finding]:
    """A server's processes are one subject, by the name that the server was given."""
    processes = heartbeat.known(connection)
    by_server: dict[str, list[Replica]] = {}
    for each in processes:
        by_server.setdefault(each.given_name, []).append(each)
    alive = {name: [each for each in many if each.alive(moment.now)] for name, many in by_server.items()}
    for name, many in by_server.items():
        if not alive[name]:
            seconds = (moment.now - max(each.seen_at for each in many)) // SECOND
            yield Finding(conditions.REPLICA_LOST, name, f"{name} was last heard of {seconds} seconds ago.")
    for name, living in alive.items():
        yield from _not_ready(name, living)
        yield from _clock(name, living)
    yield from _store(alive)
    newest = configuration.newest(connection)
    if newest is not None and newest.changed_at < moment.now - READ:
        for name, living in alive.items():
            yield from _apart(name, living, newest.number)


def _not_ready(name: str, living: Sequence[Replica]) -> Iterator[Finding]:
    failed = {check: reason for each in living for check, reason in each.pulse.failed.items()}
    if failed:
        reasons = "; ".join(f"{check}: {reason}" for check, reason in sorted(failed.items()))
        yield Finding(conditions.REPLICA_NOT_READY, name, f"{name} is not ready: {reasons}")


def _store(alive: Mapping[str, Sequence[Replica]]) -> Iterator[Finding]:
    """What no replica reaches is not a replica's fault."""
    servers = [each for living in alive.values() for each in living if each.pulse.role == heartbeat.SERVER]
    reasons = [each.pulse.failed.get("store") for each in servers]
    if servers and all(reasons):
        yield Finding(conditions.STORE_FAILING, "", f"No replica reaches the store: {reasons[0]}")


def _clock(name: str, living: Sequence[Replica]) -> Iterator[Finding]:
    offset = max((each.pulse.clock_offset for each in living), key=abs, default=0) / SECOND
    error = max((each.pulse.clock_error for each in living), default=0) / SECOND
    if abs(offset) > CLOCK_SECONDS:
        way = "ahead of" if offset > 0 else "behind"
        yield Finding(conditions.CLOCK_OFF, name, f"The clock of {name} is {abs(offset):.0f} s {way} cluster time.")
    elif error > ERROR_SECONDS:
        text = f"{name} knows cluster time only to {error:.1f} s: its way to the database is slow."
        yield Finding(conditions.CLOCK_OFF, name, text)


def _apart(name: str, living: Sequence[Replica], newest: int) -> Iterator[Finding]:
    oldest = min((each.pulse.configuration_version for each in living), default=newest)
    if oldest < newest:
        text = f"{name} has version {oldest} of the configuration; version {newest} is in force."
        yield Finding(conditions.CONFIGURATION_APART, name, text)
