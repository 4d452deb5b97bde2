"""A Mooring examined over HTTP: each replica says of itself what is wrong, and a token of one is shown to all."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mooring.doctor.census import Census
from mooring.doctor.observations import Asked, Crossing, Gap, Replica
from mooring.doctor.outside.asking import Line, content
from mooring.doctor.outside.crossings import show_tokens
from mooring.doctor.outside.doors import Way, account
from mooring.doctor.outside.repeating import repeated
from mooring.doctor.shapes import mapping, sequence, word
from mooring.doctor.texts import Text
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
    census, missing = await _census(ways, credentials)
    asked = Asked(
        entrance=entrance,
        repository="",
        doors=tuple(way.door for way in ways),
        crossings=tuple(crossings),
        account=account(credentials, ways),
        replicas=tuple(replicas.values()),
        keyrings=keyrings,
        census=census,
    )
    return asked, (*gaps, *missing)


async def _census(ways: Sequence[Way], credentials: Credentials | None) -> tuple[Census | None, tuple[Gap, ...]]:
    """What the cluster tells its administrator, by the first door that tells it."""
    if credentials is None:
        return None, (Gap(_CENSUS, Text("no credentials were given", "未提供凭据")),)
    if credentials.header is None:
        return None, (Gap(_CENSUS, _NO_PASSWORD),)
    status = 0
    for way in ways:
        reply = await way.line.ask("GET", "/api/v2.0/cluster", authorization=credentials.header)
        if reply.status == 200:
            try:
                return msgspec.convert(content(reply), Census, strict=False), ()
            except msgspec.ValidationError:
                return None, (
                    Gap(_CENSUS, Text("its answer can't be read: another version?", "无法读取其应答：版本不同？")),
                )
        status = status or reply.status
    known: Final = {
        401: Text("the credentials were refused", "凭据被拒绝"),
        403: Text("the account is no administrator", "该账号不是管理员"),
        404: Text("this version does not tell", "此版本不提供"),
    }
    return None, (Gap(_CENSUS, known.get(status, Text(f"the answer was {status}", f"应答为 {status}"))),)


_NO_PASSWORD: Final = Text(
    "docker keeps a token for this registry and no password: give --username",
    "docker 为该 registry 保存的是令牌而非密码：请用 --username",
)
_CENSUS: Final = Text("what the cluster knows of itself", "集群自身的信息")


async def _keyrings(ways: Sequence[Way], samples: int) -> dict[str, tuple[tuple[str, ...], ...]]:
    found = {}
    for way in ways:

        async def once(way: Way = way) -> tuple[str, ...]:
            keys = content(await way.line.ask("GET", "/.well-known/jwks.json"))
            return _kids(mapping(keys).get("keys"))

        seen = await repeated(2 if way.door.direct else samples, once)
        found[way.door.name] = tuple(dict.fromkeys(keys for keys in seen if keys))
    return found


def _kids(keys: Any) -> tuple[str, ...]:
    return tuple(sorted(word(mapping(key).get("kid")) for key in sequence(keys)))


async def _crossings(ways: Sequence[Way], credentials: Credentials | None) -> tuple[list[Crossing], list[Gap]]:
    if credentials is None:
        return [], [
            Gap(
                Text("tokens of one replica at the others", "一个副本的令牌在其他副本"),
                Text("no credentials were given", "未提供凭据"),
            )
        ]
    held, gaps = [], []
    for way in ways:
        grant, text = await way.line.token((), credentials)
        if text and grant.token:
            held.append((way.door.name, text, grant.token))
        else:
            gaps.append(
                Gap(
                    Text(f"a token of {way.door.name}", f"{way.door.name} 的令牌"),
                    Text(f"the login was answered with {grant.answer.status}", f"登录的应答为 {grant.answer.status}"),
                )
            )
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
        name=word(found["replica"]),
        door=door,
        ready=bool(found.get("ready")),
        failed=_texts(found.get("failed")),
        warnings=_texts(found.get("warnings")),
    )


def _texts(found: Any) -> dict[str, str]:
    return {word(name): word(text) for name, text in mapping(found).items()}
