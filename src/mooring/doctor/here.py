"""A Mooring examined from within, with its own settings: its database, and its store against the index."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from mooring.cluster.clock import Clock
from mooring.database import Database
from mooring.doctor.census import census
from mooring.doctor.observations import Gap, Installation, StoreFault, StoreLook
from mooring.doctor.texts import Text, same
from mooring.errors import MooringError
from mooring.registry.audit import audit, blob_count, sample, sampled
from mooring.settings import Settings
from mooring.storage import Store

Manner = Literal["none", "sample", "sizes", "bytes"]

SAMPLE: Final = 200
FAULTS_KEPT: Final = 20


@dataclass(frozen=True)
class Here:
    database: Database
    store: Store
    clock: Clock
    settings: Settings
    manner: Manner = "sample"


async def look(here: Here) -> tuple[Installation, tuple[Gap, ...]]:
    """Reads the database, and of the store what `manner` says. What can't be read is a gap."""
    gaps = []
    found = Installation()
    try:
        counted = await here.database.read(census, here.clock.now(), here.settings)
        found = replace(found, census=counted)
    except MooringError as error:
        gaps.append(Gap(Text("what the database knows", "数据库中的信息"), same(error.text)))
    if here.manner != "none":
        try:
            found = replace(found, store=await _store(here, here.manner))
        except MooringError as error:
            gaps.append(Gap(Text("the store against the index", "存储与索引的比对"), same(error.text)))
    return found, tuple(gaps)


async def _store(here: Here, manner: Literal["sample", "sizes", "bytes"]) -> StoreLook:
    if manner == "sample":
        rows = await here.database.read(sample, SAMPLE)
        total, looking = len(rows), sampled(here.database, here.store, rows)
    else:
        total = await here.database.read(blob_count)
        looking = audit(here.database, here.store, read_bytes=manner == "bytes")
    kept: list[StoreFault] = []
    count = 0
    try:
        async for fault in looking:
            count += 1
            if len(kept) < FAULTS_KEPT:
                kept.append(StoreFault(fault.kind, fault.what, fault.text))
    finally:
        await here.store.disconnect()
    return StoreLook(manner, total, tuple(kept), count)
