"""`mooring store`: which registry the bytes belong to."""

import asyncio
from typing import Annotated

import typer

from mooring.assembly import Parts
from mooring.cli.opened import opened
from mooring.cli.options import Config, Data
from mooring.cluster import identity
from mooring.errors import Conflict
from mooring.registry.audit import Fault, audit

application = typer.Typer(help="The store that holds the bytes.", no_args_is_help=True)


@application.command()
def adopt(
    take_from: Annotated[
        str | None,
        typer.Option("--from", help="Id of the registry that the store belongs to now, and that uses it no more."),
    ] = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Also a store that lacks blobs which the database names.")
    ] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """After a restore: make the store that the settings name this registry's. Never while another one uses it."""
    with opened(config, data) as parts:
        own, found = parts.database.read_now(identity.cluster_id), parts.store.marker()
        place = parts.settings.store or parts.settings.store_path
        if found == own:
            print(f"The store {place} is this registry's already. Nothing was changed.")
            return
        if found is not None and found != take_from:
            raise Conflict(
                f"The store {place} belongs to another registry, {found}. If that one still runs, give this one a copy "
                "of the bytes instead: two registries on one store delete each other's blobs. If it is gone for good: "
                f"mooring store adopt --from {found}"
            )
        lacking = asyncio.run(_lacking(parts))
        if lacking and not incomplete:
            raise Conflict(
                f"The store {place} lacks {len(lacking)} blobs that the database names, the first being "
                f"{lacking[0].what}: {lacking[0].text}. Nothing was changed. Copy the bytes first; if they are lost, "
                "add --incomplete, and images that have them can't be pulled until they are pushed again."
            )
        parts.store.mark(own)
        parts.database.write_now(identity.note_marked_store, parts.clock.now())
    print(f"The store {place} is now this registry's, {own}. Replicas notice it by themselves.")
    print("Let `mooring check` read every byte.")


async def _lacking(parts: Parts) -> list[Fault]:
    """Blobs that are not there, in their size."""
    try:
        return [fault async for fault in audit(parts.database, parts.store, read_bytes=False)]
    finally:
        await parts.store.disconnect()
