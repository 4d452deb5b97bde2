"""Conditions of the keyring."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, select

from mooring.access.tables import signing_keys
from mooring.cluster.clock import DAY, SECOND
from mooring.observe.alerts import conditions
from mooring.observe.alerts.conditions import Finding, Moment

PENDING: Final = 300 * SECOND
"""A new key reaches every replica within seconds."""


def keys(connection: Connection, moment: Moment) -> Iterator[Finding]:
    found = connection.execute(select(signing_keys.c.kid, signing_keys.c.state, signing_keys.c.created_at)).all()
    waiting = [row for row in found if row.state == "pending" and row.created_at < moment.now - PENDING]
    for row in waiting:
        minutes = (moment.now - row.created_at) // (60 * SECOND)
        text = f"The key {row.kid} has waited for {minutes} minutes; some replica has not loaded it."
        yield Finding(conditions.KEY_ROTATION_LATE, "", text)
        return
    newest = max((row.created_at for row in found), default=0)
    overdue = moment.now - newest - moment.settings.key_life_days * DAY
    if overdue > DAY:
        text = f"The signing key should have been replaced {overdue // DAY} days ago."
        yield Finding(conditions.KEY_ROTATION_LATE, "", text)
