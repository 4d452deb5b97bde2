"""Replicas that are not the cluster's, joining its load balancer: each has to stay out, and say why."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence

from tests.faults.scene import Scene, Strike, off_loop
from tests.faults.tally import Row
from tests.replicas.cluster import new_key
from tests.replicas.replica import Replica

PATIENCE_SECONDS = 90
WRONG_SECONDS = 5.0

Stranger = tuple[str, str, Callable[[Scene, str], Replica]]
"""Who it is, the check of `/readyz` that has to name it, and how it is made under a name."""


def _with_another_key(scene: Scene, name: str) -> Replica:
    return scene.cluster.replica(name, MOORING_MASTER_KEY=new_key())


def _with_another_bucket(scene: Scene, name: str) -> Replica:
    if scene.store is None:
        return scene.cluster.replica(name, MOORING_STORE=f"file://{scene.cluster.directory / name}")
    return scene.cluster.replica(name, MOORING_STORE=scene.store.url(scene.store.create()))


def _of_another_database(scene: Scene, name: str) -> Replica:
    """Whole in itself, with a database of another registry, but on our store."""
    cluster, database = scene.cluster, scene.cluster.database.create()
    elsewhere = cluster.directory / f"{name}-store"
    elsewhere.mkdir()
    made = cluster.mooring("migrate", MOORING_DATABASE_URL=database, MOORING_STORE=f"file://{elsewhere}")
    assert made.code == 0, made
    return cluster.replica(name, MOORING_DATABASE_URL=database)


def _of_an_old_version(scene: Scene, name: str) -> Replica:
    return scene.cluster.replica(name, module="mooring")


KEY: Stranger = ("a wrong master key", "master_key", _with_another_key)
BUCKET: Stranger = ("another bucket", "store", _with_another_bucket)
DATABASE: Stranger = ("another registry's database", "store", _of_another_database)
OLD: Stranger = ("an old version, after the upgrade", "schema", _of_an_old_version)


def join(*strangers: Stranger) -> Strike:
    """They come into the load balancer at once when their processes answer, ready or not."""

    @contextlib.asynccontextmanager
    async def fault(scene: Scene, row: Row) -> AsyncIterator[None]:
        made = [await off_loop(make, scene, f"stranger-{check}-{secrets.token_hex(2)}") for _, check, make in strangers]
        try:
            for replica in made:
                replica.launch()
            await asyncio.gather(*(off_loop(replica.wait_until_answering, PATIENCE_SECONDS) for replica in made))
            scene.cluster.balancer.point([*scene.cluster.ports(), *(replica.port for replica in made)])
            await asyncio.gather(*(_name(row, *each) for each in zip(strangers, made, strict=True)))
            yield
            row.notes.append(await off_loop(_status, scene, made))
        finally:
            scene.cluster.balancer.point(scene.cluster.ports())
            await asyncio.gather(*(off_loop(replica.kill) for replica in made))

    return fault


async def _name(row: Row, stranger: Stranger, replica: Replica) -> None:
    who, check, _ = stranger
    end, failed = time.monotonic() + WRONG_SECONDS, ""
    while time.monotonic() < end:
        found = await off_loop(replica.readiness)
        failed = json.dumps(found, ensure_ascii=False)
        reasons = found.get("failed") if found else None
        if found and found.get("ready") is False and isinstance(reasons, dict) and check in reasons:
            row.notes.append(f"{who}: `/readyz` names `{check}`: {reasons[check]}")
            return
        await asyncio.sleep(0.2)
    row.missing.append(f"{who}: `/readyz` does not name `{check}` within {WRONG_SECONDS:g} s: {failed}")


def _status(scene: Scene, strangers: Sequence[Replica]) -> str:
    """What `mooring cluster status` says of those that its database knows."""
    names = {replica.name for replica in strangers}
    printed = scene.cluster.mooring("cluster", "status", COLUMNS="200").out
    lines = [line for line in printed.splitlines() if any(line.startswith(name) for name in names)]
    return "\n".join(["`mooring cluster status` says:", *lines]) if lines else ""
