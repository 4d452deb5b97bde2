"""What one door says of itself."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from mooring.doctor.observations import Account, Answer, Door, Grant, Info
from mooring.doctor.outside.asking import Line, content
from mooring.doctor.outside.projects import compared, listed
from mooring.doctor.outside.repeating import repeated
from mooring.doctor.shapes import mapping, sequence, word
from mooring.egress.credentials import Credentials

SLOW_SECONDS: Final = 1.4
"""Harbor sleeps for 1.5 s on a wrong password, and answers at once while the account is locked."""
TOO_SLOW_SECONDS: Final = 3.0
LOGINS: Final = 8
LOGIN_PAUSE_SECONDS: Final = 0.25
CHALLENGES: Final = 6


@dataclass(frozen=True)
class Way:
    """A door and the line to it."""

    line: Line
    door: Door


def account(credentials: Credentials | None, ways: Sequence[Way]) -> Account | None:
    """Whose credentials were used at these doors."""
    if credentials is None:
        return None
    return Account(credentials.name, credentials.source, tuple(way.door.url for way in ways))


async def knock(line: Line, name: str, *, direct: bool) -> Way:
    ping = await line.look("GET", "/api/v2.0/ping")
    return Way(line, Door(name=name, url=line.url, direct=direct, ping=ping))


async def look(way: Way, entrance: str, samples: int, credentials: Credentials | None, *, alone: bool) -> Way:
    """All that asks for no repository."""
    line, door = way.line, way.door
    authorization = credentials.header if credentials else None
    host = {"host": urlsplit(entrance).netloc} if door.direct and entrance else {}

    async def challenge() -> Answer:
        return await line.look("GET", "/v2/", headers=host)

    async def anonymous() -> Grant:
        grant, _ = await line.token(["repository:library/mooring-doctor:pull"])
        return grant

    challenges = await repeated(2 if door.direct else CHALLENGES, challenge)
    grants = await repeated(samples, anonymous, enough=_too_slow)
    stranger = Credentials(f"mooring-doctor-{secrets.token_hex(4)}", secrets.token_urlsafe(12), "made up")
    refused, _ = await line.token(["repository:library/mooring-doctor:pull"], stranger)
    listing, projects = await listed(line, authorization)
    looking = (door.direct or not entrance or alone) and listing.seconds < TOO_SLOW_SECONDS
    return replace(
        way,
        door=replace(
            door,
            challenges=challenges,
            anonymous=grants,
            stranger=refused,
            components=await _components(line),
            info=await _info(line, authorization),
            listing=listing,
            projects=await compared(line, authorization, projects) if looking else projects,
        ),
    )


async def log_in(way: Way, scopes: Sequence[str], credentials: Credentials) -> tuple[Way, list[str]]:
    """Several logins with right credentials, and the tokens they gave. Stops when they look wrong: each wrong one
    locks the account for everybody."""
    tokens: list[str] = []

    async def once() -> Grant:
        grant, token = await way.line.token(scopes, credentials)
        if token and grant.subject:
            tokens.append(token)
        return grant

    def hopeless(found: list[Grant]) -> bool:
        return _too_slow(found) or (sum(rejected(grant) for grant in found) >= 2 and not tokens)

    grants = await repeated(LOGINS, once, pause_seconds=LOGIN_PAUSE_SECONDS, enough=hopeless)
    return replace(way, door=replace(way.door, logins=grants)), tokens


def rejected(grant: Grant) -> bool:
    """Whether a login was judged and refused, rather than swallowed by a lock or an error."""
    anonymous = grant.token is not None and not grant.token.subject
    return (anonymous or grant.answer.status == 401) and grant.answer.seconds >= SLOW_SECONDS


def _too_slow(found: list[Grant]) -> bool:
    """Two that took long say as much as twelve."""
    return sum(grant.answer.seconds > TOO_SLOW_SECONDS or grant.answer.trouble == "timeout" for grant in found) >= 2


async def _components(line: Line) -> dict[str, str]:
    found = mapping(content(await line.ask("GET", "/api/v2.0/health")))
    return {
        word(each.get("name")): word(each.get("error") or each.get("status"))
        for each in map(mapping, sequence(found.get("components")))
        if each.get("name")
    }


async def _info(line: Line, authorization: str | None) -> Info:
    found = mapping(content(await line.ask("GET", "/api/v2.0/systeminfo", authorization=authorization)))
    return Info(
        auth_mode=word(found.get("auth_mode")),
        version=word(found.get("harbor_version")),
        external_url=word(found.get("external_url")),
        read_only=found.get("read_only") is True,
    )
