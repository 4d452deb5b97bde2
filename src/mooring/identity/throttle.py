"""Wrong passwords slow their own source down. A right one is never refused because somebody else failed.

Harbor locks an account for everybody after one wrong password, so a stale CI job breaks all others
(goharbor/harbor#19374). Here only the answer to a wrong password waits, and a right one is checked first.
"""

import hashlib

from sqlalchemy import Connection, delete, insert, select, update

from mooring.cluster.clock import SECOND
from mooring.identity.tables import login_failures

MEMORY = 300 * SECOND
FREE = 3
LIMIT = 20
LONGEST_DELAY = 2.0


def note_failure(connection: Connection, now: int, source: str, account: str) -> int:
    """Count a wrong password; answers how many there were within five minutes."""
    row = (login_failures.c.source == source) & (login_failures.c.account == _account(account))
    connection.execute(delete(login_failures).where(login_failures.c.last_at < now - MEMORY))
    found = connection.execute(select(login_failures.c.failures).where(row)).scalar()
    if found is None:
        values = {"source": source, "account": _account(account), "failures": 1, "last_at": now}
        connection.execute(insert(login_failures).values(values))
        return 1
    connection.execute(update(login_failures).where(row).values(failures=found + 1, last_at=now))
    return int(found) + 1


def delay(failures: int) -> float:
    """Seconds that the answer to a wrong password waits."""
    if failures <= FREE:
        return 0.0
    return float(min(0.1 * 2.0 ** min(failures - FREE, 10), LONGEST_DELAY))


def locked(failures: int) -> bool:
    return failures > LIMIT


def _account(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
