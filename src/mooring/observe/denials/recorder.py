"""Refusals on their way to the log: sampled, counted, and written by the batch, never on a request's path.

Of the same refusals (reason, account, repository, client) in one minute the first few become a row each, and the rest
is counted on one more. Where there are too many different ones, they are counted by reason alone. So a flood costs a
bounded number of rows, in memory and in the database, and the occurrences add up to the number of refusals.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.types import Scope

from mooring.cluster.clock import SECOND
from mooring.database import Database
from mooring.observe.denials import log
from mooring.observe.denials.record import Denial, client, denial, is_first_question, nameless
from mooring.refusals import Reason, Refused

WINDOW = 60 * SECOND
BATCH = 200

Key = tuple[Reason, str, str, str]


@dataclass(frozen=True)
class Limits:
    samples: int = 20
    """Rows of the same refusals in one window, before the rest is counted."""
    rows: int = 500
    """Of one window: what is new beyond that is counted by reason alone."""
    waiting: int = 2000
    """Rows that a database which is away has not taken yet."""


@dataclass
class Bucket:
    samples: int = 0
    counted: Denial | None = None


class Recorder:
    """The one owner of what waits to be written. `now` is microseconds of cluster time."""

    def __init__(self, replica: str, now: Callable[[], int], limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._replica = replica
        self._now = now
        self._began = 0
        self._rows = 0
        self._buckets: dict[Key, Bucket] = {}
        self._nameless: dict[Reason, Denial] = {}
        self._waiting: dict[str, Denial] = {}
        """Rows that the database does not have as they are now, by their ids."""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def note(self, refused: Refused, request_id: str, scope: Scope) -> None:
        """A client's first question, which is how it learns where to log in, is left to the metric alone."""
        if is_first_question(refused, scope):
            return
        now = self._now()
        if not 0 <= now - self._began < WINDOW:
            self._open_window(now)
        key = (refused.reason, refused.subject, refused.resource, client(scope))
        bucket = self._buckets.get(key)
        if bucket is not None and bucket.counted is not None:
            self._count(bucket.counted, now)
        elif self._rows < self._limits.rows and len(self._waiting) < self._limits.waiting:
            row = denial(refused, request_id, scope, now, self._replica)
            self._keep(self._buckets.setdefault(key, Bucket()), row)
        elif refused.reason in self._nameless:
            self._count(self._nameless[refused.reason], now)
        else:
            row = nameless(refused, now, self._replica)
            self._nameless[refused.reason] = self._waiting[row.id] = row

    async def flush(self, database: Database) -> None:
        """What can't be written is kept for the next time, and counts on meanwhile."""
        ids = list(self._waiting)
        for start in range(0, len(ids), BATCH):
            batch = [replace(self._waiting[each]) for each in ids[start : start + BATCH] if each in self._waiting]
            await database.write(log.store, [each.row() for each in batch])
            for written in batch:
                self._settle(written)

    def _open_window(self, now: int) -> None:
        self._began, self._rows, self._buckets = now, 0, {}
        # While the database is away there is one of each reason, however long that takes.
        self._nameless = {reason: row for reason, row in self._nameless.items() if row.id in self._waiting}

    def _keep(self, bucket: Bucket, row: Denial) -> None:
        self._rows += 1
        self._waiting[row.id] = row
        bucket.samples += 1
        if bucket.samples > self._limits.samples:
            bucket.counted = row

    def _count(self, row: Denial, now: int) -> None:
        row.occurrences += 1
        row.last_at = now
        self._waiting[row.id] = row

    def _settle(self, written: Denial) -> None:
        """Unless it counted on while it was written."""
        now = self._waiting.get(written.id)
        if now is not None and now.occurrences == written.occurrences:
            del self._waiting[written.id]
