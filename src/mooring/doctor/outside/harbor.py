"""A Harbor examined over HTTP: its entrance, and each core where their addresses are known."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from mooring.doctor.observations import Asked, Crossing, Door, Gap, Grant, Token
from mooring.doctor.outside import crossings, projects
from mooring.doctor.outside.asking import Line
from mooring.doctor.outside.doors import Way, account, knock, log_in, look
from mooring.doctor.outside.mooring import examine_replicas, is_mooring
from mooring.doctor.outside.projects import candidates
from mooring.doctor.texts import Text, counted, same
from mooring.egress import certificates
from mooring.egress.certificates import Certificate
from mooring.egress.client import Egress
from mooring.egress.credentials import Credentials
from mooring.errors import Unavailable

SAMPLES: Final = 12


@dataclass(frozen=True)
class Question:
    """What is to be examined. Addresses are origins: scheme, host and port."""

    entrance: str = ""
    cores: tuple[str, ...] = ()
    credentials: Credentials | None = None
    repository: str = ""
    """One that the credentials may push to; found by itself when empty."""
    mount_from: str = ""
    uploads: Literal["cancelled", "always", "never"] = "cancelled"
    """Whether uploads are opened: where they can be cancelled, which takes the right to delete; always; or never."""
    samples: int = SAMPLES
    longest_upload_seconds: float = 0


async def examine(egress: Egress, question: Question) -> tuple[Asked, tuple[Gap, ...]]:
    """Raises Unavailable when nothing answers."""
    all_ways = await _knock(egress, question)
    _require_no_redirect(all_ways)
    gaps = [
        Gap(same(f"{way.door.name} ({way.door.url})"), _no_answer(way.door))
        for way in all_ways
        if not way.door.ping.status
    ]
    ways = [way for way in all_ways if way.door.ping.status]
    shown = await _certificates(egress, all_ways)
    if not ways and not any(each.refused for each in shown.values()):
        raise Unavailable("; ".join(f"{gap.what.en}: {gap.why.en}" for gap in gaps))
    if not ways:
        return Asked(question.entrance, "", _silent(all_ways), certificates=shown), tuple(gaps)
    if await is_mooring(ways[0].line):
        asked, more = await examine_replicas(ways, question.entrance, question.samples, question.credentials)
    else:
        asked, more = await _examine_cores(ways, question)
    asked = replace(asked, doors=(*asked.doors, *_silent(all_ways)), certificates=shown)
    return asked, (*gaps, *more, *_given_up(ways))


async def _examine_cores(ways: list[Way], question: Question) -> tuple[Asked, tuple[Gap, ...]]:
    """Raises Unavailable for what is no Harbor."""
    _require_harbor(ways)
    if question.credentials and question.credentials.identity:
        # Harbor gives none: it is of what had this address before.
        question = replace(question, credentials=None)
    credentials = question.credentials
    authorization = credentials.header if credentials else None
    ways = list(
        await asyncio.gather(
            *(look(way, question.entrance, question.samples, credentials, alone=len(ways) == 1) for way in ways)
        )
    )
    ways, held = await _tokens(ways, question)
    repository = question.repository or _pushable(held) or candidates(ways[0].door.projects)[0]
    project = repository.partition("/")[0]
    quota = await projects.quota(ways[0].line, authorization, project) if authorization else None
    ways, found, missing = await _try(ways, held, question, repository)
    asked = Asked(
        entrance=question.entrance,
        repository=repository,
        doors=tuple(way.door for way in ways),
        crossings=tuple(found),
        account=account(credentials, ways),
        repository_was_named=bool(question.repository),
        mount_from=question.mount_from,
        longest_upload_seconds=question.longest_upload_seconds,
        quota=quota,
    )
    return asked, tuple(missing)


@dataclass(frozen=True)
class Held:
    """A token, kept for as long as the examination lasts and no longer."""

    giver: str
    text: str
    claims: Token


async def _knock(egress: Egress, question: Question) -> list[Way]:
    named = [("entrance", question.entrance, False)] if question.entrance else []
    named += [(f"core {number}", url, True) for number, url in enumerate(question.cores, start=1)]
    return list(await asyncio.gather(*(knock(Line(egress, url), name, direct=direct) for name, url, direct in named)))


async def _tokens(ways: Sequence[Way], question: Question) -> tuple[list[Way], list[Held]]:
    """Tokens of each door: for the credentials, or for nobody where there are none."""
    names = [question.repository] if question.repository else candidates(ways[0].door.projects)
    held: list[Held] = []
    if question.credentials is None:
        for way in ways:
            held += await _nobodys(way, names)
        return list(ways), held
    scopes = [f"repository:{name}:pull,push" for name in names]
    if question.mount_from:
        scopes.append(f"repository:{question.mount_from}:pull")
    done = await asyncio.gather(*(log_in(way, scopes, question.credentials) for way in ways))
    for way, texts in done:
        if not texts:
            held += await _nobodys(way, names)
        good = [grant for grant in way.door.logins if grant.subject]
        for grant, text in zip(good, texts, strict=True):
            held += _kept(way.door.name, grant, text)
    return [way for way, _ in done], held


async def _nobodys(way: Way, names: Sequence[str]) -> list[Held]:
    """What anybody may read is enough to see who answers, and whether an Authorization arrives."""
    grant, text = await way.line.token([f"repository:{name}:pull" for name in names])
    return _kept(way.door.name, grant, text)


def _kept(giver: str, grant: Grant, text: str | None) -> list[Held]:
    return [Held(giver, text, grant.token)] if text and grant.token else []


def _pushable(held: Sequence[Held]) -> str:
    """A repository to try: one that a token may push to, else one it may pull from."""
    for wanted in ("push", "pull"):
        for each in held:
            for name, actions in each.claims.access.items():
                if wanted in actions:
                    return name
    return ""


async def _try(
    ways: list[Way], held: Sequence[Held], question: Question, repository: str
) -> tuple[list[Way], list[Crossing], list[Gap]]:
    found: list[Crossing] = []
    gaps: list[Gap] = []
    known = [each for each in held if each.claims.subject]
    newest = {each.giver: each.text for each in held}
    distinct = {(each.giver, each.claims.kid): each for each in known}
    found += await crossings.show_tokens(ways, [(each.giver, each.text, each.claims) for each in distinct.values()])
    ways = list(await asyncio.gather(*(_read(way, repository, newest.get(way.door.name)) for way in ways)))
    pushing = {each.giver: each.text for each in known if "push" in each.claims.access.get(repository, ())}
    ending = {name: text for name, text in pushing.items() if _can_cancel(held, text, repository)}
    opening = {"cancelled": ending, "always": pushing, "never": {}}[question.uploads]
    if opening:
        ways, opened = await crossings.open_uploads(ways, repository, opening)
        found += opened
        if question.mount_from:
            ways = [
                await crossings.mount(way, repository, question.mount_from, opening[way.door.name])
                if way.door.name in opening
                else way
                for way in ways
            ]
    else:
        gaps.append(Gap(Text("uploads", "上传"), _why_no_uploads(question, bool(known), bool(pushing))))
    found += await crossings.show_csrf(ways)
    return ways, found, gaps


async def _read(way: Way, repository: str, token: str | None) -> Way:
    return way if token is None else await crossings.read_absent(way, repository, token)


def _can_cancel(held: Sequence[Held], text: str, repository: str) -> bool:
    """Harbor lets an upload be cancelled only by who may delete the repository."""
    return any(each.text == text and "delete" in each.claims.access.get(repository, ()) for each in held)


def _why_no_uploads(question: Question, logged_in: bool, may_push: bool) -> Text:
    if question.uploads == "never":
        return Text("--no-upload was given", "指定了 --no-upload")
    if question.credentials is None:
        return Text("no credentials were given", "未提供凭据")
    if may_push:
        return Text(
            "the account may push and not delete, so that an upload could not be cancelled: --upload opens it all the "
            "same, and the registry removes it after a week",
            "该账号可以推送但不能删除，因此无法取消上传：--upload 仍会打开上传，registry 会在一周后将其清除",
        )
    if logged_in:
        return Text("the account may push to no project that was tried", "该账号对尝试过的项目均无推送权限")
    return Text("no login gave a token", "没有一次登录得到令牌")


def _given_up(ways: Sequence[Way]) -> list[Gap]:
    """Doors that hung: what was asked there in vain, and what was then left unasked."""
    return [
        Gap(
            same(f"{way.door.name} ({way.door.url})"),
            Text(
                f"{counted(len(way.line.missed), 'answer')} did not come in time, the first to {way.line.missed[0]}",
                f"{len(way.line.missed)} 次应答超时，首次为 {way.line.missed[0]}",
            ),
        )
        for way in ways
        if way.line.missed
    ]


def _no_answer(door: Door) -> Text:
    told = f"{door.ping.trouble} {door.ping.detail}".strip()
    return Text(f"no answer: {told}", f"没有应答：{told}")


async def _certificates(egress: Egress, ways: Sequence[Way]) -> dict[str, Certificate]:
    secure = [way for way in ways if way.door.url.startswith("https:")]
    found = await asyncio.gather(*(certificates.shown(way.door.url, egress.policy) for way in secure))
    return {way.door.name: each for way, each in zip(secure, found, strict=True) if each is not None}


def _require_harbor(ways: Sequence[Way]) -> None:
    """Nothing found in what is no Harbor would be no comfort."""
    if all(way.door.ping.status in {404, 405, 410} for way in ways):
        raise Unavailable(
            f"{ways[0].door.url} is neither a Harbor nor a Mooring: /api/v2.0/ping is {ways[0].door.ping.status} there."
        )


def _require_no_redirect(ways: Sequence[Way]) -> None:
    for way in ways:
        if 300 <= way.door.ping.status < 400:
            place = way.door.ping.headers.get("location", "elsewhere")
            raise Unavailable(f"{way.door.url} sends everybody to {place}. Give that address instead.")


def _silent(ways: Sequence[Way]) -> tuple[Door, ...]:
    return tuple(way.door for way in ways if not way.door.ping.status)
