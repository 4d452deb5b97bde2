"""Wrong passwords slow their own source down. A right one is never refused because somebody else failed.

Harbor locks an account for everybody after one wrong password, so a stale CI job breaks all others
(goharbor/harbor#19374). Here only the answer to a wrong password waits, and a right one is checked first.
"""

import hashlib

from sqlalchemy import Connection, delete, select, update

from mooring.cluster.clock import SECOND
from mooring.database import rows
from mooring.identity.tables import login_failures

MEMORY = 300 * SECOND
FREE = 3
LIMIT = 20
LONGEST_DELAY = 2.0
FORGOTTEN_AT_ONCE = 100


def note_failure(connection: Connection, now: int, source: str, account: str) -> int:
    """Count a wrong password; answers how many there were within five minutes."""
    _forget(connection, now)
    key = {"source": source, "account": _account(account)}
    rows.add_if_new(connection, login_failures, {**key, "failures": 0, "last_at": now})
    counted = (
        update(login_failures)
        .where(login_failures.c.source == source, login_failures.c.account == key["account"])
        .values(failures=login_failures.c.failures + 1, last_at=now)
        .returning(login_failures.c.failures)
    )
    return int(connection.execute(counted).scalar() or 1)


def _forget(connection: Connection, now: int) -> None:
    """Rows that another replica counts up or forgets just now are left to it."""
    old = (
        select(login_failures.c.source, login_failures.c.account)
        .where(login_failures.c.last_at < now - MEMORY)
        .limit(FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    for row in connection.execute(old).all():
        gone = (login_failures.c.source == row.source) & (login_failures.c.account == row.account)
        connection.execute(delete(login_failures).where(gone))


def delay(failures: int) -> float:
    """Seconds that the answer to a wrong password waits."""
    if failures <= FREE:
        return 0.0
    return float(min(0.1 * 2.0 ** min(failures - FREE, 10), LONGEST_DELAY))


def locked(failures: int) -> bool:
    return failures > LIMIT


def _account(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
