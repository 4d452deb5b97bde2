"""A Mooring examined over HTTP: each replica says of itself what is wrong, and a token of one is shown to all."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mooring.doctor.observations import Asked, Crossing, Gap, Replica
from mooring.doctor.outside.asking import Line, content
from mooring.doctor.outside.crossings import show_tokens
from mooring.doctor.outside.doors import Way, account
from mooring.doctor.outside.repeating import repeated
from mooring.egress.credentials import Credentials

SETTLED_SECONDS: Final = 3.0
"""A new key has reached every replica that is ready long before."""


async def is_mooring(line: Line) -> bool:
    return "replica" in await _readiness(line)


async def examine_replicas(
    ways: Sequence[Way], entrance: str, samples: int, credentials: Credentials | None
) -> tuple[Asked, tuple[Gap, ...]]:
    replicas: dict[str, Replica] = {}
    for way in ways:

        async def once(way: Way = way) -> Replica | None:
            return _replica(way.door.name, await _readiness(way.line))

        for replica in await repeated(2 if way.door.direct else samples, once):
            if replica is not None:
                replicas[replica.name] = replica
    keyrings = await _keyrings(ways, samples)
    if len({keys for each in keyrings.values() for keys in each}) > 1:
        await asyncio.sleep(SETTLED_SECONDS)
        keyrings = await _keyrings(ways, samples)
    crossings, gaps = await _crossings(ways, credentials)
    asked = Asked(
        entrance=entrance,
        repository="",
        doors=tuple(way.door for way in ways),
        crossings=tuple(crossings),
        account=account(credentials, ways),
        replicas=tuple(replicas.values()),
        keyrings=keyrings,
    )
    return asked, tuple(gaps)


async def _keyrings(ways: Sequence[Way], samples: int) -> dict[str, tuple[tuple[str, ...], ...]]:
    found = {}
    for way in ways:

        async def once(way: Way = way) -> tuple[str, ...]:
            keys = content(await way.line.ask("GET", "/.well-known/jwks.json"))
            return tuple(sorted(str(key.get("kid")) for key in keys["keys"])) if isinstance(keys, dict) else ()

        seen = await repeated(2 if way.door.direct else samples, once)
        found[way.door.name] = tuple(dict.fromkeys(keys for keys in seen if keys))
    return found


async def _crossings(ways: Sequence[Way], credentials: Credentials | None) -> tuple[list[Crossing], list[Gap]]:
    if credentials is None:
        return [], [Gap("tokens of one replica at the others", "no credentials were given")]
    held, gaps = [], []
    for way in ways:
        grant, text = await way.line.token((), credentials)
        if text and grant.token:
            held.append((way.door.name, text, grant.token))
        else:
            gaps.append(Gap(f"a token of {way.door.name}", f"the login was answered with {grant.answer.status}"))
    return await show_tokens(ways, held), gaps


async def _readiness(line: Line) -> dict[str, Any]:
    """`/readyz` answers 503 with the same body when a check fails."""
    reply = await line.ask("GET", "/readyz")
    try:
        found = msgspec.json.decode(reply.body) if reply.status in {200, 503} else None
    except msgspec.DecodeError:
        found = None
    return found if isinstance(found, dict) else {}


def _replica(door: str, found: dict[str, Any]) -> Replica | None:
    if "replica" not in found:
        return None
    return Replica(
        name=str(found["replica"]),
        door=door,
        ready=bool(found.get("ready")),
        failed={str(name): str(text) for name, text in (found.get("failed") or {}).items()},
        warnings={str(name): str(text) for name, text in (found.get("warnings") or {}).items()},
    )
