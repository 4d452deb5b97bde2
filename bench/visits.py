"""The kinds of request whose cost is measured, and a mix of them from one program."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.content import MANIFEST_TYPE, MIB, digest_of, small_image
from bench.images import Pusher, push_image
from bench.loads import robot
from bench.rates import rate
from bench.registries import Registry, basic
from bench.wire import Line, Stream, closing, message

REPOSITORY: Final = "library/bench-sizing"
TOKEN: Final = f"/service/token?service=mooring&scope=repository:{REPOSITORY}:pull,push"
ACCEPT: Final = f"Accept: {MANIFEST_TYPE}\r\n".encode()

MANIFEST, HEAD, BLOB, LOGIN, PUSH = (
    "manifest GET by tag",
    "blob HEAD",
    "blob GET, 1 MiB",
    "token for a robot",
    "small image push",
)
MIX: Final[Mapping[str, float]] = {MANIFEST: 0.80, HEAD: 0.10, BLOB: 0.05, LOGIN: 0.03, PUSH: 0.02}
"""Of all visits. A push is one visit, of nine requests; a blob that is new to a node is looked for and then pulled."""

CLIENTS: Final = 8
"""Of one worker, asking at once. `rates` has as many for two."""

Ask = Callable[["Target", Stream], Awaitable[None]]


@dataclass(frozen=True)
class Target:
    """What is asked for: one image with a blob of 1 MiB, in a registry that holds it."""

    registry: Registry
    tag: str
    blob: str
    pulling: bytes
    pushing: bytes
    login: bytes

    @property
    def manifest_path(self) -> str:
        return f"/v2/{REPOSITORY}/manifests/{self.tag}"

    @property
    def blob_path(self) -> str:
        return f"/v2/{REPOSITORY}/blobs/{self.blob}"


def target(registry: Registry) -> Target:
    image = push_image(registry, REPOSITORY)
    layer = small_image(MIB).layer
    with Line(registry.address, registry.fields(REPOSITORY)) as line:
        place = line.ask("POST", f"/v2/{REPOSITORY}/blobs/uploads/", body=b"").expect(202, "POST upload").target
        line.ask("PUT", closing(place, digest_of(layer)), body=layer).expect(201, "PUT upload")
    pulling = registry.fields(REPOSITORY, "pull")
    login = basic(*robot(registry))
    return Target(registry, image.tag, digest_of(layer), pulling, registry.fields(REPOSITORY), login)


def drive(kind: str, aim: Target, seconds: float) -> float:
    """Visits of one kind for some seconds, of a server of two workers; answers how many."""
    fixed = max(1, round(seconds))
    if kind == MANIFEST:
        return fixed * rate(aim.registry, aim.manifest_path, aim.pulling + ACCEPT, fixed)
    if kind == BLOB:
        return fixed * rate(aim.registry, aim.blob_path, aim.pulling, fixed)
    if kind == LOGIN:
        return fixed * rate(aim.registry, TOKEN, aim.login, fixed)
    return asyncio.run(_mixed([aim], {kind: 1.0}, 2 * CLIENTS, seconds))


def drive_mix(aims: Sequence[Target], clients: int, seconds: float) -> float:
    """The mix from one Python program, its clients spread over the registries; answers how many visits."""
    return asyncio.run(_mixed(aims, MIX, clients, seconds))


async def _mixed(aims: Sequence[Target], mix: Mapping[str, float], clients: int, seconds: float) -> float:
    until = time.monotonic() + seconds
    asking = [_client(aims[number % len(aims)], mix, number, until) for number in range(clients)]
    return sum(await asyncio.gather(*asking))


async def _client(aim: Target, mix: Mapping[str, float], number: int, until: float) -> int:
    chance, done = random.Random(number), 0
    stream = await Stream.open(aim.registry.address)
    while time.monotonic() < until:
        (kind,) = chance.choices(list(mix), list(mix.values()))
        await ASKED[kind](aim, stream)
        done += 1
    stream.close()
    return done


async def _ask(stream: Stream, aim: Target, method: str, path: str, fields: bytes) -> bytes:
    host = "{}:{}".format(*aim.registry.address)
    answer = await stream.ask(message(method, path, host, fields))
    return answer.expect(200, f"{method} {path}").body


async def _manifest(aim: Target, stream: Stream) -> None:
    await _ask(stream, aim, "GET", aim.manifest_path, aim.pulling + ACCEPT)


async def _head(aim: Target, stream: Stream) -> None:
    await _ask(stream, aim, "HEAD", aim.blob_path, aim.pulling)


async def _blob(aim: Target, stream: Stream) -> None:
    await _ask(stream, aim, "GET", aim.blob_path, aim.pulling)


async def _login(aim: Target, stream: Stream) -> None:
    json.loads(await _ask(stream, aim, "GET", TOKEN, aim.login))


async def _push(aim: Target, stream: Stream) -> None:
    host = "{}:{}".format(*aim.registry.address)
    await Pusher(stream, host, REPOSITORY, aim.pushing).push([small_image()])


ASKED: Final[Mapping[str, Ask]] = {MANIFEST: _manifest, HEAD: _head, BLOB: _blob, LOGIN: _login, PUSH: _push}
