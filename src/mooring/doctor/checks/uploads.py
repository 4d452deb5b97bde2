"""Do the registries behind the cores take part: their credential, their storage, the life of a token?"""

from collections.abc import Iterator, Sequence
from typing import Final

from mooring.doctor.checks.readings import (
    REGISTRY_REALM,
    authorized_answers,
    by_registry,
    crossings,
    doors,
    grants,
    leeway_seconds,
    named,
    told,
)
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Answer, Door, Observations
from mooring.doctor.texts import Text, same

SHORT_LIFE_SECONDS: Final = 300


def registry_credential(seen: Observations) -> Iterator[Finding]:
    for door in doors(seen):
        asked = [*authorized_answers(door), *_shown_at(seen, door.name)]
        refused = [answer for answer in asked if by_registry(answer)]
        if refused:
            yield named(
                "RC9",
                "certain",
                Text(
                    f"{door.name}: {len(refused)} of {len(asked)} answers are a 401 of the registry itself "
                    f"(realm {REGISTRY_REALM}), not of a core",
                    f"{door.name}：{len(asked)} 次应答中有 {len(refused)} 次是 registry 自身的 401 (realm {REGISTRY_REALM})，"
                    "而非 core 的",
                ),
                same(told(refused[0])),
            )


def shared_uploads(seen: Observations) -> Iterator[Finding]:
    """An upload that one door opened and another does not know."""
    for crossing in crossings(seen, "upload"):
        answer = crossing.answer
        if answer.status not in {400, 404} or "BLOB_UPLOAD" not in answer.body:
            continue
        # Distribution 2.8 answers a state that it can't verify with this code and 404, others with 400.
        secret = "BLOB_UPLOAD_INVALID" in answer.body
        yield named(
            "RC14",
            "certain",
            Text(
                f"an upload opened at {crossing.giver}, asked for at {crossing.taker}: {told(answer)}",
                f"在 {crossing.giver} 开始的上传，在 {crossing.taker} 查询得到：{told(answer)}",
            ),
            title=Text(
                "The registries' HTTP secrets differ" if secret else "The registries do not share their storage",
                "各 registry 的 HTTP secret 不同" if secret else "各 registry 没有共享存储",
            ),
        )
        return


def token_life(seen: Observations) -> Iterator[Finding]:
    lives = [
        grant.token.expires_at - grant.token.issued_at
        for door in doors(seen)
        for grant in grants(door)
        if grant.token and grant.token.expires_at
    ]
    if not lives or seen.asked is None:
        return
    life = min(lives)
    refused_after = life + leeway_seconds(seen)
    longest = seen.asked.longest_upload_seconds
    until = Text(
        f"tokens live {life:.0f} s; a request later than {refused_after:.0f} s after its token is refused",
        f"令牌有效期为 {life:.0f} 秒；在签发 {refused_after:.0f} 秒之后的请求会被拒绝",
    )
    if longest > refused_after:
        yield named(
            "RC12",
            "certain",
            until,
            Text(f"the longest upload is said to take {longest:.0f} s", f"最长的上传据称需要 {longest:.0f} 秒"),
        )
    elif 0 < life < SHORT_LIFE_SECONDS:
        yield named("RC12", "likely", until)


def mounts(seen: Observations) -> Iterator[Finding]:
    for door in doors(seen):
        if door.mount is None or door.mount.status not in {401, 403, 404} or not _opens(door):
            continue
        source = seen.asked.mount_from if seen.asked else ""
        yield named(
            "RC13",
            "certain",
            Text(
                f"{door.name}: an upload is opened, but with a mount from {source} it is refused: {told(door.mount)}",
                f"{door.name}：普通上传可以开始，但从 {source} 挂载时被拒绝：{told(door.mount)}",
            ),
        )
        return


def _opens(door: Door) -> bool:
    return any(answer.status == 202 for answer in door.uploads)


def _shown_at(seen: Observations, taker: str) -> Sequence[Answer]:
    """Of tokens too: a core passes `GET /v2/` of who is logged in on to its registry."""
    shown = (*crossings(seen, "token"), *crossings(seen, "upload"))
    return [crossing.answer for crossing in shown if crossing.taker == taker]
