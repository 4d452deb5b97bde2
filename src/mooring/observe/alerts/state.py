"""Which alerts there are: one row for a condition and a subject for as long as it lasts. Each function is a
transaction, so that what was seen and the notices of it are written together, or not at all."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from mooring.cluster.clock import DAY, SECOND
from mooring.database import locks, rows
from mooring.observe.alerts.conditions import CONDITIONS, Condition, Finding, Moment, Severity, Source
from mooring.observe.alerts.tables import alert_notices, alerts
from mooring.settings import Settings

KEPT: Final = 30 * DAY
LONGEST_TEXT: Final = 2000
FIRING, REMINDER, RESOLVED = "firing", "reminder", "resolved"


@dataclass(frozen=True)
class Alert:
    """Times are cluster time, microseconds. `notified_at` is None while it may still pass, and without a channel."""

    condition: str
    severity: Severity
    subject: str
    text: str
    since: int
    last_seen_at: int
    notified_at: int | None
    resolved_at: int | None


def find(connection: Connection, moment: Moment, sources: Iterable[Source]) -> Sequence[Finding]:
    return [finding for source in sources for finding in source(connection, moment)]


def note(connection: Connection, moment: Moment, found: Iterable[Finding], channels: Collection[str]) -> None:
    """Keep what holds now, and write the notices that are due for it.

    What is seen again after less than the delay was never gone: a condition that comes and goes is one alert. Where
    there is no channel nobody is told, so that the first one that is set up hears of all that lasts.
    """
    locks.hold(connection, "alerts")
    findings = {(each.condition.name, each.subject): each for each in found}
    open_rows = connection.execute(select(alerts).where(alerts.c.resolved_at.is_(None))).all()
    known = {(row.condition, row.subject): row for row in open_rows}
    for key, finding in findings.items():
        _see(connection, moment, finding, known.get(key), channels)
    for key, row in known.items():
        if key not in findings and moment.now - row.last_seen_at >= _delay(moment.settings):
            _resolve(connection, moment.now, row, channels)
    connection.execute(delete(alerts).where(alerts.c.resolved_at < moment.now - KEPT))


def active(connection: Connection) -> Sequence[Alert]:
    """Those that last, the oldest first."""
    return [_alert(row) for row in connection.execute(_OPEN)]


def stands(alert: Alert, settings: Settings) -> bool:
    """Whether it is something to tell people of, or was: not what may still pass."""
    lasted = alert.last_seen_at - alert.since
    return alert.notified_at is not None or _held(CONDITIONS.get(alert.condition), lasted, settings)


_OPEN = select(alerts).where(alerts.c.resolved_at.is_(None)).order_by(alerts.c.since, alerts.c.id)


def _see(
    connection: Connection, moment: Moment, finding: Finding, row: Row[Any] | None, channels: Collection[str]
) -> None:
    now, text = moment.now, finding.text[:LONGEST_TEXT]
    values: dict[str, Any] = {"text": text, "last_seen_at": now}
    since, notified = (row.since, row.notified_at) if row is not None else (now, None)
    event = _due(moment, notified, held=_held(finding.condition, now - since, moment.settings)) if channels else ""
    if event:
        values["notified_at"] = now
    if row is None:
        key = {"condition": finding.condition.name, "subject": finding.subject, "since": now}
        alert_id = rows.add(connection, alerts, {**key, **values})
    else:
        alert_id = row.id
        connection.execute(update(alerts).where(alerts.c.id == alert_id).values(values))
    if event:
        _write_notices(connection, now, alert_id, event, text, channels)


def _due(moment: Moment, notified: int | None, *, held: bool) -> str:
    """The event to tell of; empty where there is none."""
    if notified is None:
        return FIRING if held else ""
    every = int(moment.settings.alert_repeat_hours * 3600 * SECOND)
    return REMINDER if every and moment.now - notified >= every else ""


def _resolve(connection: Connection, now: int, row: Row[Any], channels: Collection[str]) -> None:
    if row.notified_at is None:
        connection.execute(delete(alerts).where(alerts.c.id == row.id))
        return
    connection.execute(update(alerts).where(alerts.c.id == row.id).values(resolved_at=now))
    _write_notices(connection, now, row.id, RESOLVED, row.text, channels)


def _write_notices(
    connection: Connection, now: int, alert_id: int, event: str, text: str, channels: Collection[str]
) -> None:
    made = {"alert_id": alert_id, "event": event, "text": text, "at": now, "due_at": now, "attempts": 0, "error": ""}
    many: list[Mapping[str, Any]] = [{**made, "id": secrets.token_hex(16), "channel": each} for each in channels]
    if many:
        connection.execute(insert(alert_notices), many)


def _held(condition: Condition | None, lasted: int, settings: Settings) -> bool:
    patient = condition is None or condition.patient
    return not patient or lasted >= _delay(settings)


def _delay(settings: Settings) -> int:
    return int(settings.alert_delay_seconds * SECOND)


def _alert(row: Row[Any]) -> Alert:
    condition = CONDITIONS.get(row.condition)
    return Alert(
        row.condition,
        condition.severity if condition else Severity.WARNING,
        row.subject,
        row.text,
        row.since,
        row.last_seen_at,
        row.notified_at,
        row.resolved_at,
    )
