"""Uploads in flight: a row bound to its repository and subject, and bytes in the store under the same id."""

from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from mooring.database import short
from mooring.errors import UploadUnknown
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
    connection.execute(insert(uploads).values(**row, size=0, created_at=now, touched_at=now))
    return Upload(upload_id, repository_id, algorithm, 0)


_FIND = (
    select(uploads.c.id, uploads.c.repository_id, uploads.c.algorithm, uploads.c.size)
    .join(repositories_table, repositories_table.c.id == uploads.c.repository_id)
    .where(
        uploads.c.id == bindparam("upload_id"),
        uploads.c.subject == bindparam("subject"),
        repositories_table.c.name == bindparam("repository"),
    )
)


@short
def find(connection: Connection, upload_id: str, repository: str, subject: str) -> Upload:
    """Raises UploadUnknown, also for another repository's or subject's upload (CVE-2026-32589 in Quay)."""
    given = {"upload_id": upload_id, "subject": subject, "repository": repository}
    row = connection.execute(_FIND, given).first()
    if row is None:
        raise UploadUnknown
    return Upload(*row)


def advance(connection: Connection, now: int, upload: Upload, size: int) -> None:
    """Acknowledge bytes up to `size`. Raises UploadUnknown when another request ended or moved the upload."""
    unchanged = (uploads.c.id == upload.id) & (uploads.c.size == upload.size)
    if connection.execute(update(uploads).where(unchanged).values(size=size, touched_at=now)).rowcount == 0:
        raise UploadUnknown("Another request changed this upload meanwhile.")


def finish(connection: Connection, now: int, upload: Upload, digest: str, size: int, delay: int) -> None:
    """Turn an upload into a blob of its repository. Raises UploadUnknown when another request ended it."""
    _end(connection, upload.id)
    blobs.store(connection, now, upload.repository_id, digest, upload.id, size, delay)


def cancel(connection: Connection, now: int, upload: Upload) -> None:
    _end(connection, upload.id)
    enqueue_removal(connection, upload.id, now + READERS_GRACE)


def _end(connection: Connection, upload_id: str) -> None:
    if connection.execute(delete(uploads).where(uploads.c.id == upload_id)).rowcount == 0:
        raise UploadUnknown


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
