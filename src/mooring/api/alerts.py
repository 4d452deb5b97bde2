"""What is wrong with the registry now, and what its probes of itself found. Harbor has neither."""

from typing import Annotated

from fastapi import Depends

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import System
from mooring.api.fields import Shape
from mooring.api.visit import Visit
from mooring.cluster.clock import rfc3339
from mooring.observe.alerts import state
from mooring.observe.alerts.conditions import CONDITIONS
from mooring.probe import schedule

READ = Permission("cluster", "read")

router = routing.router("alert")


class Alert(Shape):
    """`told` is when people were last told; none while it may still pass, and without a channel."""

    condition: str
    severity: str
    subject: str
    text: str
    remedy: str
    since: str
    last_seen: str
    told: str | None


class Probe(Shape):
    """One round of the scheduled probe. `seconds` is what its slowest push took; `fault` is empty where all worked."""

    time: str
    replica: str
    seconds: float
    pushes: int
    fault: str


@router.get("/alerts")
async def list_alerts(visit: Annotated[Visit, Depends(System(READ))]) -> list[Alert]:
    """Those that last, the oldest first."""
    return [_alert(each) for each in await visit.parts.database.read(state.active)]


@router.get("/probes")
async def list_probes(visit: Annotated[Visit, Depends(System(READ))]) -> list[Probe]:
    """The newest rounds first, at most 100."""
    return [
        Probe(
            time=rfc3339(each.started_at),
            replica=each.replica,
            seconds=each.seconds,
            pushes=each.pushes,
            fault=each.fault,
        )
        for each in await visit.parts.database.read(schedule.last)
    ]


def _alert(alert: state.Alert) -> Alert:
    condition = CONDITIONS.get(alert.condition)
    return Alert(
        condition=alert.condition,
        severity=alert.severity,
        subject=alert.subject,
        text=alert.text,
        remedy=condition.remedy if condition else "",
        since=rfc3339(alert.since),
        last_seen=rfc3339(alert.last_seen_at),
        told=None if alert.notified_at is None else rfc3339(alert.notified_at),
    )
