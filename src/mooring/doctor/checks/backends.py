"""Do the database and Redis behind the cores answer? Harbor says 'unauthorized' when they do not."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from mooring.doctor.checks.readings import (
    MISSING_PROJECT,
    authorized_answers,
    challenge,
    doors,
    judging_seconds,
    named,
    told,
)
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Answer, Door, Observations
from mooring.doctor.texts import Text, same

SLOW_TOKEN_SECONDS: Final = 3
GIVEN_UP_SECONDS: Final = 15
"""Docker waits so long for a token."""
FAST_SECONDS: Final = 1.4
SQL: Final = re.compile(r"too many clients|SQLSTATE|failed to connect to `|connection slots", re.IGNORECASE)


def redis(seen: Observations) -> Iterator[Finding]:
    for door in doors(seen):
        evidence = redis_signs(door)
        if evidence:
            yield named("RC6", "certain" if _unhealthy(door, "redis") else "likely", *evidence)


def redis_signs(door: Door) -> Sequence[Text]:
    evidence = []
    if fault := _unhealthy(door, "redis"):
        evidence.append(_health(door, "redis", fault))
    slow = [g.answer for g in (*door.anonymous, *door.logins) if g.token and g.answer.seconds >= SLOW_TOKEN_SECONDS]
    failing = [answer for answer in _database_questions(door) if answer.status == 500]
    if slow and (failing or evidence):
        seconds = max(answer.seconds for answer in slow)
        evidence.append(
            Text(f"{door.name}: a token took {seconds:.1f} s", f"{door.name}：获取令牌耗时 {seconds:.1f} 秒")
        )
        evidence += [same(f"{door.name}: {told(answer)}") for answer in failing[:1]]
    return evidence


def database(seen: Observations) -> Iterator[Finding]:
    for door in doors(seen):
        strong, weak = database_signs(door)
        if strong or len(weak) > 1:
            yield named("RC7", "certain" if strong else "likely", *strong, *weak)


def database_signs(door: Door) -> tuple[Sequence[Text], Sequence[Text]]:
    """What proves it, and what only points there."""
    if redis_signs(door):
        return [], []
    strong, weak = [], []
    if fault := _unhealthy(door, "database"):
        strong.append(_health(door, "database", fault))
    for answer in _database_questions(door):
        if SQL.search(answer.body):
            strong.append(same(f"{door.name}: {told(answer)}"))
        elif answer.status == 401 and challenge(answer) == "" and not MISSING_PROJECT.search(answer.body):
            strong.append(
                Text(
                    f"{door.name}: 401 with an empty challenge, Harbor's answer to a failed look-up: {told(answer)}",
                    f"{door.name}：带空质询的 401，即 Harbor 查询失败时的应答：{told(answer)}",
                )
            )
        elif answer.status == 500:
            weak.append(same(f"{door.name}: {told(answer)}"))
    if door.stranger and hurried(door):
        weak.append(
            Text(
                f"{door.name}: a wrong password was answered in {door.stranger.answer.seconds * 1000:.0f} ms: it was "
                "not looked up, or Harbor would have waited 1.5 s",
                f"{door.name}：错误密码在 {door.stranger.answer.seconds * 1000:.0f} 毫秒内得到应答：说明没有真正查询，否则 "
                "Harbor 会等待 1.5 秒",
            )
        )
    return _first(strong), _first(weak)


def hurried(door: Door) -> bool:
    """Whether a name that nobody has was turned away without being judged. OIDC and auth proxies judge elsewhere."""
    return (
        door.stranger is not None
        and door.stranger.answer.status in {200, 401}
        and judging_seconds(door, door.stranger.answer) < FAST_SECONDS
        and door.info.auth_mode in {"", "db_auth", "ldap_auth"}
    )


def overload(seen: Observations) -> Iterator[Finding]:
    for door in doors(seen):
        late = [
            grant.answer
            for grant in (*door.anonymous, *door.logins)
            if grant.answer.trouble == "timeout" or grant.answer.seconds > GIVEN_UP_SECONDS
        ]
        if late and not redis_signs(door):
            total = len(door.anonymous) + len(door.logins)
            longest = max(answer.seconds for answer in late)
            yield named(
                "RC24",
                "likely",
                Text(
                    f"{door.name}: {len(late)} of {total} tokens came after {longest:.1f} s or not at all; docker waits "
                    f"{GIVEN_UP_SECONDS} s",
                    f"{door.name}：{total} 次取令牌中有 {len(late)} 次耗时 {longest:.1f} 秒或没有结果；docker 只等待 "
                    f"{GIVEN_UP_SECONDS} 秒",
                ),
                Text("a Redis or a database that hangs looks like this too", "Redis 或数据库挂起时也是如此"),
                related=("RC6", "RC7"),
            )
        hung = [answer for answer in door.challenges if answer.trouble == "timeout"]
        if hung and not late and not redis_signs(door):
            yield named(
                "RC24",
                "possible",
                Text(
                    f"{door.name}: {len(hung)} of {len(door.challenges)} answers to GET /v2/ did not come in "
                    f"{max(answer.seconds for answer in hung):.0f} s, and tokens did",
                    f"{door.name}：GET /v2/ 的 {len(door.challenges)} 次应答中有 {len(hung)} 次在 "
                    f"{max(answer.seconds for answer in hung):.0f} 秒内没有到达，而令牌可以取得",
                ),
            )


def registry_down(seen: Observations) -> Iterator[Finding]:
    for door in doors(seen):
        asked = authorized_answers(door)
        if any(answer.status in {502, 503, 504} for answer in door.challenges):
            # Not even a core answers: see `answers.gateways`.
            continue
        failed = [answer for answer in asked if answer.status in {502, 503, 504}]
        if any(grant.token for grant in door.anonymous) and not any(each.trouble for each in door.challenges):
            failed += [answer for answer in asked if answer.trouble in {"timeout", "closed"}]
        if failed:
            health = _unhealthy(door, "registry")
            yield Finding(
                None,
                Text("The registry behind the cores does not answer", "core 后面的 registry 没有应答"),
                (
                    same(f"{door.name}: {told(failed[0])}"),
                    *(
                        (Text(f"/health says of the registry: {health}", f"/health 报告 registry：{health}"),)
                        if health
                        else ()
                    ),
                ),
                "certain",
                Text("Look at the registry's pods and logs.", "检查 registry 的 Pod 与日志。"),
            )
            return


def _database_questions(door: Door) -> Sequence[Answer]:
    return [answer for answer in (door.listing, *authorized_answers(door)) if answer is not None]


def _unhealthy(door: Door, component: str) -> str:
    state = door.components.get(component, "healthy")
    return "" if state == "healthy" else state


def _health(door: Door, component: str, fault: str) -> Text:
    return Text(f"{door.name}: /health says of {component}: {fault}", f"{door.name}：/health 报告 {component}：{fault}")


def _first(evidence: list[Text]) -> Sequence[Text]:
    return list(dict.fromkeys(evidence))[:3]
