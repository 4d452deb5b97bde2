"""Collection: blobs that nothing references any more, each with its file, until they are gone."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from bench.images import push_images
from bench.registries import mooring
from mooring.assembly import Parts, assemble
from mooring.registry.collection import NO_REPOSITORY
from mooring.registry.tables import blob_reviews, blobs, object_removals
from mooring.settings import Settings
from mooring.settings import load as load_settings

BYTES: Final = 4096
ROUNDS: Final = 3
IMAGES: Final = 400
MEANWHILE: Final = 10_000
"""Blobs that are due at the beginning of a round: more than are collected in it."""


class Beside(NamedTuple):
    """Medians of rounds that alternate."""

    alone: float
    """Images a second while nothing is collected."""
    collecting: float
    """The same while blobs are."""
    blobs: float
    """Collected a second meanwhile."""


def collection_rate(settings: Settings, number: int) -> float:
    """Blobs a second, rows and files. No server runs meanwhile; the minute's grace for readers is skipped."""
    parts = assemble(settings)
    try:
        _make_due(parts, settings, range(number))
        return number / asyncio.run(_collect(parts, number))
    finally:
        parts.store.close()
        parts.database.close()


def pushes_beside_collection(directory: Path, given: dict[str, str]) -> Beside:
    """Small images, 50 at once, to a server that collects once a second what is due."""
    given = {**given, "COLLECTION_INTERVAL_SECONDS": "1"}
    values: dict[str, Any] = {name.lower(): value for name, value in given.items()}
    settings = load_settings(**values)
    alone, collecting, rates = [], [], []
    with ExitStack() as running:
        registry = mooring(directory, running, given)
        parts = assemble(settings)
        running.callback(parts.database.close)
        push_images(registry, "library/beside", IMAGES)
        for turn in range(ROUNDS):
            alone.append(push_images(registry, "library/beside", IMAGES))
            _make_due(parts, settings, range(turn * MEANWHILE, (turn + 1) * MEANWHILE), past_grace=True)
            now, began = parts.clock.now(), time.perf_counter()
            before = parts.database.read_now(_due, now)
            collecting.append(push_images(registry, "library/beside", IMAGES))
            rates.append((before - parts.database.read_now(_due, now)) / (time.perf_counter() - began))
            while parts.database.read_now(_due, now):
                time.sleep(0.1)
    return Beside(median(alone), median(collecting), median(rates))


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


def _make_due(parts: Parts, settings: Settings, numbers: Sequence[int], *, past_grace: bool = False) -> None:
    """Blobs to be collected; with `past_grace` also as many files whose rows went a minute ago."""
    keys = [sha256(b"collected %d" % each).hexdigest() for each in numbers]
    gone = [sha256(b"gone %d" % each).hexdigest()[:32] for each in numbers] if past_grace else []
    for key in [*(key[:32] for key in keys), *gone]:
        (settings.store_path / key[:2] / key).write_bytes(bytes(BYTES))
    parts.database.write_now(_release, parts.clock.now(), keys, gone)


def _release(connection: Connection, now: int, keys: Sequence[str], gone: Sequence[str]) -> None:
    digests = [f"sha256:{key}" for key in keys]
    rows = zip(keys, digests, strict=True)
    known = [{"digest": digest, "object_key": key[:32], "size": BYTES, "created_at": now} for key, digest in rows]
    connection.execute(insert(blobs), known)
    due = [{"repository_id": NO_REPOSITORY, "digest": digest, "due_at": now} for digest in digests]
    connection.execute(insert(blob_reviews), due)
    if gone:
        connection.execute(insert(object_removals), [{"object_key": key, "due_at": now} for key in gone])


def _end_grace(connection: Connection) -> None:
    connection.execute(update(object_removals).values(due_at=0))


def _due(connection: Connection, now: int) -> float:
    """Blobs left: half of one is its row, half its file."""
    left = [
        connection.execute(select(func.count()).select_from(table).where(table.c.due_at <= now)).scalar_one()
        for table in (blob_reviews, object_removals)
    ]
    return sum(left) / 2
