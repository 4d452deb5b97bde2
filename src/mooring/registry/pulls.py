"""When and how often manifests are pulled: counted here, written now and then, never on a request's path."""

import asyncio
from collections import Counter

from sqlalchemy import Connection, update

from mooring.database import Database
from mooring.registry.tables import manifests, repositories, tags

MOST_WAITING = 100_000


class Pulls:
    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._manifests: dict[int, int] = {}
        self._tags: dict[tuple[int, str], int] = {}

    def note(self, manifest_id: int, repository_id: int, tag: str | None, now: int) -> None:
        self._counts[repository_id] += 1
        if len(self._manifests) < MOST_WAITING:
            self._manifests[manifest_id] = now
        if tag is not None and len(self._tags) < MOST_WAITING:
            self._tags[repository_id, tag] = now

    async def flush(self, database: Database) -> None:
        """What can't be written is kept for the next time."""
        counts, seen, seen_tags = self._counts, self._manifests, self._tags
        if not counts:
            return
        self._counts, self._manifests, self._tags = Counter(), {}, {}
        writing = asyncio.ensure_future(database.write(_write, counts, seen, seen_tags))
        try:
            await asyncio.shield(writing)
        except BaseException:
            # Who is cancelled at the end of a process waits: his counts may be on their way, and would be twice there.
            await asyncio.wait([writing])
            if writing.cancelled() or writing.exception() is not None:
                self._counts.update(counts)
                self._manifests = {**seen, **self._manifests}
                self._tags = {**seen_tags, **self._tags}
            raise


def _write(
    connection: Connection, counts: Counter[int], seen: dict[int, int], seen_tags: dict[tuple[int, str], int]
) -> None:
    # In the order in which a push locks, and by their ids, so that nobody can wait for each other crosswise.
    for (repository_id, tag), now in sorted(seen_tags.items()):
        tagged = (tags.c.repository_id == repository_id) & (tags.c.name == tag)
        connection.execute(update(tags).where(tagged).values(pulled_at=now))
    for manifest_id, now in sorted(seen.items()):
        connection.execute(update(manifests).where(manifests.c.id == manifest_id).values(pulled_at=now))
    for repository_id, count in sorted(counts.items()):
        row = repositories.c.id == repository_id
        connection.execute(update(repositories).where(row).values(pull_count=repositories.c.pull_count + count))
