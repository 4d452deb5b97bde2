"""Where does Harbor send its clients, and do their credentials arrive?"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from mooring.doctor.checks.backends import hurried
from mooring.doctor.checks.readings import (
    MISSING_PROJECT,
    all_kids,
    astray,
    authorized_answers,
    challenge,
    crossings,
    doors,
    named,
    oldest_release,
    told,
)
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Answer, Door, Observations
from mooring.doctor.texts import Text, same

REALM: Final = re.compile(r'^Bearer\s.*?realm="([^"]*)"', re.IGNORECASE)
PORTS: Final = {"http": 80, "https": 443}
HOST_REALMS: Final = (2, 14, 0)
"""Since then the realm has the host that the client asked for; before, the one of the external URL."""


@dataclass(frozen=True)
class Place:
    scheme: str
    host: str
    port: int | None

    @property
    def netloc(self) -> tuple[str, int | None]:
        return self.host, self.port


def place(url: str) -> Place:
    """Empty for what is no address: it is none that clients use either."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return Place("", "", None)
    return Place(parts.scheme.lower(), (parts.hostname or "").lower(), port or PORTS.get(parts.scheme.lower()))


def realms(door: Door) -> Sequence[str]:
    """Each that was named, once."""
    found = (REALM.match(challenge(answer) or "") for answer in door.challenges)
    return list(dict.fromkeys(match[1] for match in found if match))


def wrong_scheme(seen: Observations) -> Iterator[Finding]:
    wanted = _wanted(seen)
    if wanted is None:
        yield from _schemes_differ(seen)
        return
    for door in doors(seen):
        wrong = [realm for realm in realms(door) if place(realm).scheme != wanted.scheme]
        if wrong:
            yield named("RC10", "certain", _realm(door, wrong), _asked_at(seen), related=("RC11",))
        for answer in () if door.direct else door.uploads:
            location = answer.headers.get("location", "")
            if answer.status == 202 and "://" in location and _leads_away(place(location), wanted):
                yield named(
                    "RC10",
                    "certain",
                    Text(
                        f"{door.name}: an upload is to go on at {_shown(location)}; a client that follows that to "
                        "another place leaves its authorization behind",
                        f"{door.name}：上传被引向 {_shown(location)}；客户端转向别处时会丢下授权",
                    ),
                    _asked_at(seen),
                )
                break


def wrong_host(seen: Observations) -> Iterator[Finding]:
    wanted = _wanted(seen)
    if wanted is None:
        return
    oldest = oldest_release(seen)
    for door in doors(seen):
        # An old core names the host of its external URL, which an operator may well reach by another name.
        if door.direct:
            continue
        # A port that only follows from the scheme is wrong because the scheme is.
        wrong = [realm for realm in realms(door) if _elsewhere(place(realm), wanted)]
        if wrong:
            sure = oldest is None or oldest >= HOST_REALMS
            yield named("RC11", "certain" if sure else "possible", _realm(door, wrong), _asked_at(seen))


def lost_authorization(seen: Observations) -> Iterator[Finding]:
    """Harbor answers `Bearer` only to requests that bring no Authorization, and ours did."""
    for door in doors(seen):
        lost = [
            answer
            for answer in (*authorized_answers(door), *_shown_at(seen, door))
            if answer.status == 401 and (challenge(answer) or "").startswith("Bearer")
        ]
        if lost:
            yield named(
                "RC21",
                "certain",
                Text(
                    f"{door.name}: {len(lost)} requests with an Authorization were answered as if they had none: "
                    f"{challenge(lost[0])}",
                    f"{door.name}：{len(lost)} 个带 Authorization 的请求被当作未带：{challenge(lost[0])}",
                ),
            )


def only_direct(seen: Observations) -> Iterator[Finding]:
    """What the cores take, the entrance spoils."""
    cores = [door for door in doors(seen) if door.direct]
    for door in doors(seen):
        if door.direct:
            continue
        swallowed = door.logins and not any(grant.subject for grant in door.logins)
        taken = cores and all(any(grant.subject for grant in core.logins) for core in cores)
        if swallowed and taken and hurried(door) and not any(hurried(core) for core in cores):
            yield named(
                "RC21",
                "certain",
                Text(
                    "a login that every core takes directly is a login of nobody through the entrance",
                    "直接访问每个 core 都成功的登录，经由入口却成了匿名",
                ),
            )
        direct = [shown.answer for shown in crossings(seen, "token") if shown.taker != door.name]
        through = _shown_at(seen, door)
        if (
            through
            and not astray(door)
            and len(all_kids(seen)) == 1
            and all(answer.status == 200 for answer in direct)
            and all(answer.status in {400, 401, 403, 431} for answer in through)
        ):
            yield named(
                "RC21",
                "likely" if direct else "possible",
                Text(
                    f"good tokens are refused through the entrance, every time: {told(through[0])}",
                    f"有效的令牌经由入口每次都被拒绝：{told(through[0])}",
                ),
            )


def no_such_project(seen: Observations) -> Iterator[Finding]:
    if seen.asked is None or not seen.asked.repository_was_named:
        return
    repository = seen.asked.repository
    if "/" not in repository:
        text = Text(f"{repository} names no project", f"{repository} 没有项目部分")
        yield named("RC22", "certain", text)
    for door in doors(seen):
        for answer in authorized_answers(door):
            if MISSING_PROJECT.search(answer.body) or "invalid repository name" in answer.body:
                yield named("RC22", "certain", same(f"{door.name}: {repository}: {told(answer)}"))
                return


def _wanted(seen: Observations) -> Place | None:
    return place(seen.asked.entrance) if seen.asked and seen.asked.entrance else None


def _leads_away(found: Place, wanted: Place) -> bool:
    return found.scheme != wanted.scheme or found.netloc != wanted.netloc


def _elsewhere(found: Place, wanted: Place) -> bool:
    if found.host != wanted.host:
        return True
    implied = found.port == PORTS.get(found.scheme) and wanted.port == PORTS.get(wanted.scheme)
    return found.port != wanted.port and not implied


def _schemes_differ(seen: Observations) -> Iterator[Finding]:
    found = {door.name: realms(door) for door in doors(seen)}
    if len({place(realm).scheme for each in found.values() for realm in each}) > 1:
        text = "; ".join(f"{name}: {', '.join(each)}" for name, each in found.items())
        yield named(
            "RC10", "likely", Text(f"the cores name different schemes: {text}", f"各 core 给出的协议不同：{text}")
        )


def _realm(door: Door, found: Sequence[str]) -> Text:
    shown = ", ".join(found)
    alternating = len(realms(door)) > len(found)
    return Text(
        f"{door.name}: {'now and then ' if alternating else ''}the token service is said to be {shown}",
        f"{door.name}：{'有时' if alternating else ''}给出的令牌服务地址为 {shown}",
    )


def _asked_at(seen: Observations) -> Text:
    entrance = seen.asked.entrance if seen.asked else ""
    return Text(f"clients use {entrance}", f"客户端使用 {entrance}")


def _shown_at(seen: Observations, door: Door) -> Sequence[Answer]:
    return [shown.answer for shown in crossings(seen, "token") if shown.taker == door.name]


def _shown(location: str) -> str:
    """Without its query, which carries the upload's signed state."""
    return location.partition("?")[0]
