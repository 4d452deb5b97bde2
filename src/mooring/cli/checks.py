"""`mooring gc` and `mooring check`."""

import asyncio
import sys
from typing import Annotated

import typer

from mooring.assembly import Parts
from mooring.cli.opened import opened
from mooring.cli.options import Config, Data
from mooring.doctor.texts import counted
from mooring.registry.audit import audit, orphans
from mooring.registry.collection import Collected


def collect(data: Data = None, config: Config = None) -> None:
    """Collect what is due now. A running server does this by itself."""
    with opened(config, data) as parts:
        done: Collected = asyncio.run(_collect(parts))
    print(
        f"Reviewed {done.reviews}. Let go of {done.links} links, {done.blobs} blobs and {done.uploads} idle uploads; "
        f"removed {done.objects} objects and {done.strays} beginnings of requests that died."
    )


def check(
    quick: Annotated[bool, typer.Option("--quick", help="Compare sizes only; do not read every byte.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Prove that every manifest and blob is there, whole. Exit 1 when one is not. Safe while serving."""
    with opened(config, data) as parts:
        faults = asyncio.run(_check(parts, read_bytes=not quick))
    if faults:
        print(f"{counted(faults, 'fault')}.")
        sys.exit(1)
    print("No faults.")


async def _collect(parts: Parts) -> Collected:
    try:
        return await parts.collector.run()
    finally:
        await parts.store.disconnect()


async def _check(parts: Parts, *, read_bytes: bool) -> int:
    faults = 0
    try:
        async for fault in audit(parts.database, parts.store, read_bytes=read_bytes):
            faults += 1
            print(f"{fault.kind} {fault.what}: {fault.text}")
    finally:
        await parts.store.disconnect()
    # Listed first and looked up afterwards: an upload that begins meanwhile has its row before its file.
    left = await orphans(parts.database, list(parts.store.keys()))
    for key in sorted(left):
        print(f"note: the object {key} belongs to nothing; it takes space and does no harm")
    return faults
