"""Collection alone: blobs that nothing references any more, each with its file, until they are gone."""

import asyncio
import time
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, insert, update

from mooring.assembly import Parts, assemble
from mooring.registry.collection import NO_REPOSITORY
from mooring.registry.tables import blob_reviews, blobs, object_removals
from mooring.settings import Settings

BYTES = 4096


def collection_rate(settings: Settings, number: int) -> float:
    """Blobs a second, rows and files. No server runs meanwhile; the minute's grace for readers is skipped."""
    parts = assemble(settings)
    try:
        keys = [sha256(b"collected %d" % each).hexdigest() for each in range(number)]
        _write_files(settings.store_path, keys)
        parts.database.write_now(_release, parts.clock.now(), keys)
        return number / asyncio.run(_collect(parts, number))
    finally:
        parts.store.close()
        parts.database.close()


async def _collect(parts: Parts, number: int) -> float:
    began = time.perf_counter()
    reviewed = await parts.collector.run()
    await parts.database.write(_end_grace)
    removed = await parts.collector.run()
    seconds = time.perf_counter() - began
    await parts.store.disconnect()
    if (reviewed.blobs, removed.objects) != (number, number):
        raise SystemExit(f"of {number} blobs {reviewed.blobs} rows and {removed.objects} files were removed")
    return seconds


def _write_files(store: Path, keys: list[str]) -> None:
    for key in keys:
        (store / key[:2] / key[:32]).write_bytes(bytes(BYTES))


def _release(connection: Connection, now: int, keys: list[str]) -> None:
    digests = [f"sha256:{key}" for key in keys]
    rows = zip(keys, digests, strict=True)
    known = [{"digest": digest, "object_key": key[:32], "size": BYTES, "created_at": now} for key, digest in rows]
    connection.execute(insert(blobs), known)
    due = [{"repository_id": NO_REPOSITORY, "digest": digest, "due_at": now} for digest in digests]
    connection.execute(insert(blob_reviews), due)


def _end_grace(connection: Connection) -> None:
    connection.execute(update(object_removals).values(due_at=0))
