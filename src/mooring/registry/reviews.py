"""Whether a link, or a blob that no repository links any more, is still needed: asked again before it goes.

A review looks inside the transaction that would delete, so a push never waits for it and never loses to it (the race
that Quay and GitLab had to fix). Many are done by one statement each: a blob at a time took ten times as long.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update

from mooring.registry.collection import (
    BATCH,
    NO_REPOSITORY,
    READERS_GRACE,
    Collected,
    enqueue_removals,
    enqueue_reviews,
)
from mooring.registry.tables import blob_reviews, blobs, manifest_references, repository_blobs


def review_due(connection: Connection, now: int, delay: int) -> Collected:
    """Take due reviews, at most BATCH of them, and do what each finds. `delay` in microseconds.

    Waits for no push: what one holds at the moment stays due.
    """
    due = connection.execute(
        select(blob_reviews.c.repository_id, blob_reviews.c.digest)
        .where(blob_reviews.c.due_at <= now)
        .order_by(blob_reviews.c.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    by_repository: dict[int, list[str]] = defaultdict(list)
    for repository_id, digest in due:
        by_repository[repository_id].append(digest)
    total = _review_blobs(connection, now, by_repository.pop(NO_REPOSITORY, []))
    let_go: set[str] = set()
    for repository_id, digests in sorted(by_repository.items()):
        done, gone = _review_links(connection, now, delay, repository_id, digests)
        total += done
        let_go |= gone
    # In the order of digests, so that two replicas that review at once can't wait for each other crosswise.
    enqueue_reviews(connection, NO_REPOSITORY, sorted(let_go), now)
    return total


def _review_links(
    connection: Connection, now: int, delay: int, repository_id: int, digests: Sequence[str]
) -> tuple[Collected, set[str]]:
    """And what this repository links no more."""
    links = (repository_blobs.c.repository_id == repository_id) & repository_blobs.c.digest.in_(digests)
    found = select(repository_blobs.c.digest, repository_blobs.c.linked_at).where(links)
    known = {row.digest for row in connection.execute(found)}
    held = {row.digest: row.linked_at for row in connection.execute(found.with_for_update(skip_locked=True))}
    references = (manifest_references.c.repository_id == repository_id) & manifest_references.c.digest.in_(held)
    needed = set(connection.scalars(select(manifest_references.c.digest).where(references)))
    young = {digest: at + delay for digest, at in held.items() if digest not in needed and at + delay > now}
    gone = held.keys() - needed - young.keys()
    connection.execute(
        delete(repository_blobs).where(
            repository_blobs.c.repository_id == repository_id, repository_blobs.c.digest.in_(gone)
        )
    )
    if young:
        later = [{"review": digest, "due_at": due_at} for digest, due_at in young.items()]
        review = (blob_reviews.c.repository_id == repository_id) & (blob_reviews.c.digest == bindparam("review"))
        connection.execute(update(blob_reviews).where(review), later)
    busy = known - held.keys()
    ended = set(digests) - busy - young.keys()
    _end_reviews(connection, repository_id, ended)
    return Collected(reviews=len(ended) + len(young), links=len(gone)), gone


def _review_blobs(connection: Connection, now: int, digests: Sequence[str]) -> Collected:
    if not digests:
        return Collected()
    known = set(connection.scalars(select(blobs.c.digest).where(blobs.c.digest.in_(digests))))
    found = select(blobs.c.digest, blobs.c.object_key, blobs.c.size).where(blobs.c.digest.in_(known))
    held = {row.digest: row for row in connection.execute(found.with_for_update(skip_locked=True))}
    links = select(repository_blobs.c.digest).where(repository_blobs.c.digest.in_(held)).distinct()
    linked = set(connection.scalars(links))
    gone = [row for digest, row in held.items() if digest not in linked]
    connection.execute(delete(blobs).where(blobs.c.digest.in_([row.digest for row in gone])))
    enqueue_removals(connection, [row.object_key for row in gone], now + READERS_GRACE)
    ended = set(digests) - (known - held.keys())
    _end_reviews(connection, NO_REPOSITORY, ended)
    return Collected(reviews=len(ended), blobs=len(gone), bytes=sum(row.size for row in gone))


def _end_reviews(connection: Connection, repository_id: int, digests: Iterable[str]) -> None:
    reviews = (blob_reviews.c.repository_id == repository_id) & blob_reviews.c.digest.in_(digests)
    connection.execute(delete(blob_reviews).where(reviews))
