"""Uploads in flight: a row bound to its repository and subject, and bytes in the store under the same id."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, case, delete, func, insert, select, update

from mooring.database.lookup import Lookup, Values
from mooring.errors import MooringError, Unavailable, UploadUnknown
from mooring.registry import blobs, repositories
from mooring.registry.collection import READERS_GRACE, enqueue_removal
from mooring.registry.digests import Hash, new_hash
from mooring.registry.tables import repositories as repositories_table
from mooring.registry.tables import uploads

REMEMBERED_HASHES = 1000


@dataclass(frozen=True)
class Upload:
    id: str
    repository_id: int
    algorithm: str
    size: int
    """Bytes acknowledged so far."""
    digest: str | None = None
    """Of those bytes, if one process saw them all."""
    state: str = ""
    """What the store needs to continue."""


_UNCHANGED = and_(
    uploads.c.id == bindparam("known_id"),
    uploads.c.size == bindparam("known_size"),
    uploads.c.state == bindparam("known_state"),
)
_BEGIN = insert(uploads)
_ADVANCE = update(uploads).where(_UNCHANGED)
_END = delete(uploads).where(_UNCHANGED).returning(uploads.c.repository_id)


def begin(
    connection: Connection,
    now: int,
    upload_id: str,
    project_id: int,
    repository: str,
    subject: str,
    algorithm: str,
) -> Upload:
    repository_id = repositories.ensure(connection, now, project_id, repository)
    row = {"id": upload_id, "repository_id": repository_id, "subject": subject, "algorithm": algorithm}
    connection.execute(_BEGIN, {**row, "size": 0, "created_at": now, "touched_at": now})
    return Upload(upload_id, repository_id, algorithm, 0)


_FIND = (
    select(
        uploads.c.id, uploads.c.repository_id, uploads.c.algorithm, uploads.c.size, uploads.c.digest, uploads.c.state
    )
    .join(repositories_table, repositories_table.c.id == uploads.c.repository_id)
    .where(
        uploads.c.id == bindparam("upload_id"),
        repositories_table.c.name == bindparam("repository"),
        uploads.c.subject == bindparam("subject"),
    )
)


def _found(row: Values | None) -> Upload:
    """Raises UploadUnknown, also for another repository's or subject's upload (CVE-2026-32589 in Quay)."""
    if row is None:
        raise UploadUnknown
    return Upload(*row)


find = Lookup(_FIND, ("upload_id", "repository", "subject"), _found)


_MOVING = select(func.max(uploads.c.touched_at)).where(uploads.c.touched_at > bindparam("since"))
moving = Lookup(_MOVING, ("since",), lambda row: row is not None and row[0] is not None)
"""Whether an upload was begun or went on since then, on any replica."""


def reserve(connection: Connection, upload: Upload, number: int, above: int) -> int:
    """Numbers that no other request of this upload gets, all greater than `above`: the first of them.

    Raises UploadUnknown and Unavailable like `advance`.
    """
    least = case((uploads.c.reserved > above, uploads.c.reserved), else_=above)
    given = update(uploads).where(_UNCHANGED).values(reserved=least + number).returning(uploads.c.reserved)
    highest = connection.execute(given, _known(upload)).scalar()
    if highest is None:
        raise _overtaken(connection, upload)
    return int(highest) - number + 1


def advance(
    connection: Connection,
    now: int,
    upload: Upload,
    size: int,
    digest: str | None = None,
    state: str = "",
    spent: Sequence[str] = (),
) -> None:
    """Acknowledge bytes up to `size`; objects in `spent` are removed.

    Raises UploadUnknown when another request ended the upload, and Unavailable when one moved it on.
    """
    values = {"size": size, "digest": digest, "state": state, "touched_at": now}
    if connection.execute(_ADVANCE, {**_known(upload), **values}).rowcount == 0:
        raise _overtaken(connection, upload)
    for name in spent:
        enqueue_removal(connection, name, now + READERS_GRACE)


def end(
    connection: Connection,
    digest: str,
    object_key: str,
    size: int,
    now: int,
    upload_id: str,
    known_size: int,
    known_state: str,
    delay: int,
) -> int | None:
    """Turn an upload into a blob of its repository: the repository's id, or None where the upload is another by now."""
    known = {"known_id": upload_id, "known_size": known_size, "known_state": known_state}
    repository_id = connection.execute(_END, known).scalar()
    if repository_id is None:
        return None
    blobs.store(connection, now, repository_id, digest, object_key, size, delay)
    return int(repository_id)


def finish(
    connection: Connection,
    now: int,
    upload: Upload,
    digest: str,
    size: int,
    delay: int,
    object_key: str = "",
    spent: Sequence[str] = (),
) -> None:
    """As `end`; objects in `spent` are removed. Raises UploadUnknown and Unavailable like `advance`."""
    key = object_key or upload.id
    if end(connection, digest, key, size, now, upload.id, upload.size, upload.state, delay) is None:
        raise _overtaken(connection, upload)
    for name in spent:
        enqueue_removal(connection, name, now + READERS_GRACE)


def cancel(connection: Connection, now: int, upload: Upload) -> None:
    if connection.execute(delete(uploads).where(uploads.c.id == upload.id)).rowcount == 0:
        raise UploadUnknown
    enqueue_removal(connection, upload.id, now + READERS_GRACE)


def _known(upload: Upload) -> Mapping[str, str | int]:
    """What `_UNCHANGED` compares."""
    return {"known_id": upload.id, "known_size": upload.size, "known_state": upload.state}


def _overtaken(connection: Connection, upload: Upload) -> MooringError:
    known = connection.execute(select(uploads.c.id).where(uploads.c.id == upload.id)).first()
    return Unavailable("Another request moved this upload on meanwhile.") if known else UploadUnknown()


class Hashes:
    """Running hashes of the uploads whose every byte came through this process.

    Other uploads are hashed from the store when they end: a hash's state can't be handed to another process.
    """

    def __init__(self) -> None:
        self._running: OrderedDict[str, tuple[str, int, Hash]] = OrderedDict()

    def take(self, upload_id: str, algorithm: str, size: int) -> Hash | None:
        """The hash of the first `size` bytes, if it is known here."""
        known = self._running.pop(upload_id, None)
        if known is not None and known[:2] == (algorithm, size):
            return known[2]
        return new_hash(algorithm) if size == 0 else None

    def keep(self, upload_id: str, algorithm: str, size: int, running: Hash) -> None:
        self._running[upload_id] = (algorithm, size, running)
        while len(self._running) > REMEMBERED_HASHES:
            self._running.popitem(last=False)
