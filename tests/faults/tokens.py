"""Faults of keys, tokens and passwords."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp

from tests.clients.client import shell_in
from tests.faults.load import Acknowledged
from tests.faults.programs import REFUSAL, skopeo
from tests.faults.relay import slow_line
from tests.faults.scene import Scene, again, off_loop
from tests.faults.tally import Outcome, Row
from tests.images import build_image
from tests.programs import Refused

ROTATE_EACH_SECONDS: Final = 5
HAMMERS: Final = 4
UPLOAD_BYTES: Final = 1_500_000
LONG: Final = "library/long"
TOKEN_SECONDS: Final = 60
"""How long the tokens of the replicas under test live."""


@contextlib.asynccontextmanager
async def keys_rotated(scene: Scene, row: Row) -> AsyncIterator[None]:
    signed = {await off_loop(_signing, scene)}

    async def rotate() -> None:
        await off_loop(scene.cluster.mooring, "keys", "rotate")
        signed.add(await off_loop(_signing, scene))

    async with again(ROTATE_EACH_SECONDS, rotate):
        yield
    row.notes.append(f"{len(signed)} keys signed")
    if len(signed) == 1:
        row.missing.append("the signing key never changed")


def _signing(scene: Scene) -> object:
    return scene.cluster.value("SELECT kid FROM signing_keys WHERE state = 'active'")


@contextlib.asynccontextmanager
async def old_password(scene: Scene, row: Row) -> AsyncIterator[None]:
    """Somebody hammers the account that all others use with a password that is no longer right."""
    cluster, statuses = scene.cluster, set[int]()
    auth = aiohttp.BasicAuth(cluster.username, "the-old-password")

    async def hammer(session: aiohttp.ClientSession) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{cluster.url}/service/token", auth=auth) as answer:
                await answer.read()
                statuses.add(answer.status)

    async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as stack:
        for _ in range(HAMMERS):
            await stack.enter_async_context(again(0, partial(hammer, session)))
        yield
    row.notes.append(f"the old password was answered {', '.join(map(str, sorted(statuses)))}")
    if 200 in statuses or not statuses & {401, 429}:
        row.missing.append(f"the old password was answered {sorted(statuses)}")


@contextlib.asynccontextmanager
async def long_uploads(scene: Scene, row: Row) -> AsyncIterator[None]:
    """Two uploads over slow lines, by our client and by skopeo, that end when the token they began with has expired."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ours(scene, row))
        tasks.create_task(_skopeos(scene, row))
        yield


async def _ours(scene: Scene, row: Row) -> None:
    tag = f"ours-{time.time_ns()}"
    async with scene.load.session() as session:
        client = scene.load.client(session)
        client.bytes_a_second = UPLOAD_BYTES / scene.upload_seconds
        await scene.load.push(client, row, "our client, throttled", LONG, tag, UPLOAD_BYTES)


async def _skopeos(scene: Scene, row: Row) -> None:
    began, tag = time.monotonic(), f"skopeos-{time.time_ns()}"
    bytes_a_second = UPLOAD_BYTES / scene.upload_seconds
    with TemporaryDirectory(prefix="mooring-") as home:
        async with slow_line(scene.cluster.balancer.port, bytes_a_second) as address:
            try:
                digest = await off_loop(_push, Path(home), address, scene, tag)
            except Refused as error:
                outcome = Outcome.REFUSED if REFUSAL.search(error.output) else Outcome.FAILED
                row.note("skopeo, throttled", outcome, began, error.output)
            else:
                row.note("skopeo, throttled", Outcome.DONE, began)
                seconds = time.monotonic() - began
                row.notes.append(f"skopeo pushed for {seconds:.0f} s")
                if seconds < TOKEN_SECONDS:
                    row.missing.append("the token that skopeo began with had not expired when its upload ended")
                scene.load.acknowledged.append(Acknowledged(LONG, tag, digest))


def _push(home: Path, address: str, scene: Scene, tag: str) -> str:
    client = skopeo(shell_in(home / "skopeo", address), address)
    client.login(scene.cluster.username, scene.cluster.password)
    image = build_image(home / "image", tag, layers=1, size=UPLOAD_BYTES)
    return client.push_image(image, LONG, tag).digest
