"""What most uploads need, each in one statement: on PostgreSQL one trip, and no thread.

Each answers None where it can't be so simple, or where something is wrong: then the steps of `uploads` do it, or tell.
"""

from sqlalchemy import (
    BigInteger,
    BindParameter,
    String,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from mooring.database.lookup import Change, Values
from mooring.registry import uploads as steps
from mooring.registry.collection import READERS_GRACE
from mooring.registry.tables import blob_reviews, blobs, object_removals, repositories, repository_blobs, uploads


def _integer(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


def _text(name: str) -> BindParameter[str]:
    return bindparam(name, type_=String)


def _first(row: Values | None) -> int | None:
    return None if row is None else int(row[0])


_SAME = uploads.c.id == _text("upload_id")
_AS_KNOWN = and_(uploads.c.size == _integer("known_size"), uploads.c.state == _text("known_state"))
_ADVANCED = and_(
    uploads.c.size == _integer("size"), uploads.c.state == _text("state"), uploads.c.digest == _text("digest")
)

_BEGUN = {
    "id": _text("upload_id"),
    "repository_id": repositories.c.id,
    "subject": _text("subject"),
    "algorithm": _text("algorithm"),
    "size": literal_column("0"),
    "created_at": _integer("now"),
    "touched_at": _integer("now"),
}
_BEGIN = (
    # Of this kind of statement SQLite understands the same. What it sets is what it was.
    postgresql.insert(uploads)
    .from_select(list(_BEGUN), select(*_BEGUN.values()).where(repositories.c.name == _text("repository")))
    .on_conflict_do_update(index_elements=[uploads.c.id], set_={"touched_at": uploads.c.touched_at})
    .returning(uploads.c.repository_id)
)
begin = Change(_BEGIN, ("upload_id", "subject", "algorithm", "now", "repository"), _first)
"""The repository's id; None where the repository is not there yet."""

_ADVANCE = (
    update(uploads)
    .where(_SAME, or_(_AS_KNOWN, _ADVANCED))
    .values(size=_integer("size"), digest=_text("digest"), state=_text("state"), touched_at=_integer("now"))
    .returning(uploads.c.size)
)
advance = Change(_ADVANCE, ("size", "digest", "state", "now", "upload_id", "known_size", "known_state"), _first)
"""Acknowledge bytes: the new size."""

_ENDED = delete(uploads).where(_SAME, _AS_KNOWN).returning(uploads.c.repository_id).cte("ended")
_STORED = (
    postgresql.insert(blobs)
    .from_select(
        ["digest", "object_key", "size", "created_at"],
        select(_text("digest"), _text("object_key"), _integer("size"), _integer("now")).select_from(_ENDED),
    )
    .on_conflict_do_nothing()
    .returning(blobs.c.digest)
    .cte("stored")
)
_LINK = postgresql.insert(repository_blobs).from_select(
    ["repository_id", "digest", "linked_at"], select(_ENDED.c.repository_id, _text("digest"), _integer("now"))
)
_LINKED = _LINK.on_conflict_do_update(
    index_elements=[repository_blobs.c.repository_id, repository_blobs.c.digest],
    set_={"linked_at": _LINK.excluded.linked_at},
).cte("linked")
_REVIEW = postgresql.insert(blob_reviews).from_select(
    ["repository_id", "digest", "due_at"],
    select(_ENDED.c.repository_id, _text("digest"), _integer("now") + _integer("delay")),
)
_REVIEWED = _REVIEW.on_conflict_do_update(
    index_elements=[blob_reviews.c.repository_id, blob_reviews.c.digest], set_={"due_at": _REVIEW.excluded.due_at}
).cte("reviewed")
_REMOVED = (
    insert(object_removals)
    .from_select(
        ["object_key", "due_at"],
        select(_text("object_key"), _integer("now") + literal_column(str(READERS_GRACE), BigInteger))
        .select_from(_ENDED)
        .where(~exists(select(_STORED))),
    )
    .cte("removed")
)
_FINISH = select(_ENDED.c.repository_id).add_cte(_STORED, _LINKED, _REVIEWED, _REMOVED)


finish = Change(
    _FINISH,
    ("digest", "object_key", "size", "now", "upload_id", "known_size", "known_state", "delay"),
    _first,
    steps.end,
)
"""Turn an upload into a blob of its repository, which is looked at again after `delay`: the repository's id."""
