"""Notices that are to be delivered: each function is a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, exists, select, update

from mooring.cluster.clock import DAY, SECOND
from mooring.observe.alerts.conditions import CONDITIONS, Severity
from mooring.observe.alerts.tables import alert_notices, alerts

LEASE: Final = 120 * SECOND
"""Longer than a try takes: what is due after it, its process died over."""
FIRST_PAUSE: Final = 10 * SECOND
LONGEST_PAUSE: Final = 3600 * SECOND
GIVEN_UP: Final = DAY
AT_ONCE: Final = 20


@dataclass(frozen=True)
class Notice:
    """Times are cluster time, microseconds. `event` is firing, reminder, resolved or test."""

    id: str
    alert_id: int
    channel: str
    event: str
    condition: str
    severity: Severity
    subject: str
    text: str
    remedy: str
    since: int
    at: int
    attempts: int = 1


def take(connection: Connection, now: int) -> Sequence[Notice]:
    """Those that are due, and nobody else's for the length of a lease.

    Of one alert and channel the first goes first: nobody is told that it is over before that it began.
    """
    earlier = alert_notices.alias("earlier")
    first = ~exists(
        select(earlier.c.id).where(
            earlier.c.alert_id == alert_notices.c.alert_id,
            earlier.c.channel == alert_notices.c.channel,
            earlier.c.due_at.is_not(None),
            earlier.c.at < alert_notices.c.at,
        )
    )
    due = select(alert_notices.c.id).where(alert_notices.c.due_at <= now, first)
    ids = connection.scalars(
        due.order_by(alert_notices.c.due_at).limit(AT_ONCE).with_for_update(of=alert_notices, skip_locked=True)
    ).all()
    leased = {"due_at": now + LEASE, "attempts": alert_notices.c.attempts + 1}
    connection.execute(update(alert_notices).where(alert_notices.c.id.in_(ids)).values(leased))
    columns = select(alert_notices, alerts.c.condition, alerts.c.subject, alerts.c.since).join(alerts)
    return [_notice(row) for row in connection.execute(columns.where(alert_notices.c.id.in_(ids)))]


def delivered(connection: Connection, notice_id: str) -> None:
    done = update(alert_notices).where(alert_notices.c.id == notice_id)
    connection.execute(done.values(due_at=None, error=""))


def failed(connection: Connection, now: int, notice: Notice, error: str) -> bool:
    """Have it tried again, later each time, for a day; answers whether it is given up."""
    over = now - notice.at >= GIVEN_UP
    pause = min(FIRST_PAUSE << min(notice.attempts - 1, 10), LONGEST_PAUSE)
    changed = update(alert_notices).where(alert_notices.c.id == notice.id)
    connection.execute(changed.values(due_at=None if over else now + pause, error=error))
    return over


def undelivered(connection: Connection) -> Sequence[tuple[str, int, str]]:
    """Channel, number of tries, and the last error, of each notice that waits after a try that failed."""
    waiting = alert_notices.c.due_at.is_not(None) & (alert_notices.c.error != "")
    columns = select(alert_notices.c.channel, alert_notices.c.attempts, alert_notices.c.error)
    return [(row.channel, row.attempts, row.error) for row in connection.execute(columns.where(waiting))]


def _notice(row: Row[Any]) -> Notice:
    condition = CONDITIONS.get(row.condition)
    return Notice(
        id=row.id,
        alert_id=row.alert_id,
        channel=row.channel,
        event=row.event,
        condition=row.condition,
        severity=condition.severity if condition else Severity.WARNING,
        subject=row.subject,
        text=row.text,
        remedy=condition.remedy if condition else "",
        since=row.since,
        at=row.at,
        attempts=row.attempts,
    )
