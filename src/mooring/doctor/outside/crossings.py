"""What one door gave, shown at the others."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from mooring.doctor.observations import Answer, Crossing, Token
from mooring.doctor.outside.asking import Line, answer
from mooring.doctor.outside.doors import Way
from mooring.doctor.outside.repeating import repeated

ENTRANCE_TIMES: Final = 6
"""A token is shown so often where any core may answer."""
ABSENT: Final = "sha256:" + hashlib.sha256(b"nothing that anybody pushed").hexdigest()
CSRF_PATH: Final = "/c/userExists"
"""A POST that only looks something up, and that the CSRF check guards."""


async def show_tokens(ways: Sequence[Way], held: Sequence[tuple[str, str, Token]]) -> list[Crossing]:
    """`held`: who gave it, the token, its claims. Each is asked about at every door."""

    async def at(taker: Way) -> list[Crossing]:
        found = []
        for giver, text, claims in held:

            async def once(text: str = text) -> Answer:
                return await taker.line.look("GET", "/v2/", authorization=f"Bearer {text}")

            answers = await repeated(2 if taker.door.direct else ENTRANCE_TIMES, once)
            found += [
                Crossing("token", giver, taker.door.name, each, kid=claims.kid, issued_at=claims.issued_at)
                for each in answers
            ]
        return found

    return [each for found in await asyncio.gather(*map(at, ways)) for each in found]


async def read_absent(way: Way, repository: str, token: str) -> Way:
    """A blob that is not there: it is the registry behind the core that says so."""

    async def once() -> Answer:
        return await way.line.look("GET", f"/v2/{repository}/blobs/{ABSENT}", authorization=f"Bearer {token}")

    return replace(way, door=replace(way.door, reads=await repeated(ENTRANCE_TIMES, once)))


async def open_uploads(
    ways: Sequence[Way], repository: str, tokens: dict[str, str]
) -> tuple[list[Way], list[Crossing]]:
    """Opens an upload at each door, asks every door for its state, and cancels it. Nothing is written into it."""
    looked, crossings = [], []
    for way in ways:
        token = tokens.get(way.door.name)
        if token is None:
            looked.append(way)
            continue
        opened: list[Answer] = []
        for _ in range(1 if way.door.direct else 3):
            started = await _start(way.line, f"/v2/{repository}/blobs/uploads/", token)
            opened.append(started)
            place = _place(started)
            if started.status == 202 and place:
                crossings += await _ask_state(ways, way, place, tokens)
                await _cancel(ways, place, tokens)
        looked.append(replace(way, door=replace(way.door, uploads=tuple(opened))))
    return looked, crossings


async def mount(way: Way, repository: str, source: str, token: str) -> Way:
    path = f"/v2/{repository}/blobs/uploads/?mount={ABSENT}&from={source}"
    tried = await _start(way.line, path, token)
    place = _place(tried)
    if tried.status == 202 and place:
        await _cancel([way], place, {way.door.name: token})
    return replace(way, door=replace(way.door, mount=tried))


async def show_csrf(ways: Sequence[Way]) -> list[Crossing]:
    """A CSRF token and its cookie of each door at every door; at its own too, which tells a bad key from a bad try."""
    found = []
    for giver in ways:
        reply = await giver.line.ask("POST", CSRF_PATH, headers={"referer": f"{giver.line.url}/"})
        token = reply.header("x-harbor-csrf-token")
        cookie = _csrf_cookie([value for name, value in reply.headers if name.lower() == "set-cookie"])
        if not token or not cookie:
            continue
        for taker in ways:

            async def once(line: Line = taker.line, token: str = token, cookie: str = cookie) -> Answer:
                headers = {
                    "x-harbor-csrf-token": token,
                    "cookie": f"_gorilla_csrf={cookie}",
                    "referer": f"{line.url}/",
                }
                kept = answer(await line.ask("POST", CSRF_PATH, headers=headers))
                return replace(kept, headers={})

            answers = await repeated(1 if taker.door.direct else ENTRANCE_TIMES, once)
            found += [Crossing("csrf", giver.door.name, taker.door.name, each) for each in answers]
    return found


async def _start(line: Line, path: str, token: str) -> Answer:
    return await line.look("POST", path, authorization=f"Bearer {token}")


async def _ask_state(ways: Sequence[Way], giver: Way, place: str, tokens: dict[str, str]) -> list[Crossing]:
    found = []
    for taker in ways:
        token = tokens.get(taker.door.name)
        if token is None:
            continue

        async def once(line: Line = taker.line, token: str = token) -> Answer:
            return await line.look("GET", place, authorization=f"Bearer {token}")

        answers = await repeated(2 if taker.door.direct else ENTRANCE_TIMES, once)
        found += [Crossing("upload", giver.door.name, taker.door.name, each) for each in answers]
    return found


async def _cancel(ways: Sequence[Way], place: str, tokens: dict[str, str]) -> None:
    """Tried until a registry that knows the upload has ended it: the next one may be another."""
    for way in ways:
        token = tokens.get(way.door.name)
        for _ in range(1 if way.door.direct else ENTRANCE_TIMES):
            if token is None:
                break
            reply = await way.line.ask("DELETE", place, authorization=f"Bearer {token}")
            if reply.status == 204:
                return


def _place(opened: Answer) -> str:
    """The path of an upload, wherever its Location points: it is asked for at the doors alone."""
    try:
        parts = urlsplit(opened.headers.get("location", ""))
    except ValueError:
        return ""
    if not parts.path.startswith("/v2/"):
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _csrf_cookie(lines: Sequence[str]) -> str:
    for line in lines:
        try:
            jar = SimpleCookie(line)
        except CookieError:
            continue
        if "_gorilla_csrf" in jar:
            return jar["_gorilla_csrf"].value
    return ""
