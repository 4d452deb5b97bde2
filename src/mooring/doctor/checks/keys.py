"""Do all cores sign and verify with one key?"""

from collections import defaultdict
from collections.abc import Iterator

from mooring.doctor.checks.readings import (
    all_kids,
    by_registry,
    challenge,
    clock_spread,
    crossings,
    doors,
    grants,
    kids,
    leeway_seconds,
    named,
    signing_failures,
    told,
)
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Answer, Door, Observations
from mooring.doctor.texts import Text, counted


def several_keys(seen: Observations) -> Iterator[Finding]:
    if len(all_kids(seen)) < 2:
        return
    evidence = [_signed(door) for door in doors(seen) if kids(door)]
    refused, asked = _refused_crossings(seen)
    if refused:
        evidence.append(
            Text(
                f"{refused} of {asked} tokens shown at GET /v2/ were refused",
                f"在 GET /v2/ 出示的 {asked} 个令牌中有 {refused} 个被拒绝",
            )
        )
    yield named("RC1", "certain", *evidence)


def unable_to_sign(seen: Observations) -> Iterator[Finding]:
    for door in doors(seen):
        failed = signing_failures(door)
        if not failed:
            continue
        total = len(grants(door))
        yield named(
            "RC1",
            "certain" if door.direct or len(failed) > 1 else "likely",
            Text(
                f"{door.name}: {len(failed)} of {total} answers of /service/token are 500 with an empty body",
                f"{door.name}：/service/token 的 {total} 次应答中有 {len(failed)} 次为 500 且内容为空",
            ),
            *_verifies(seen, door),
            title=Text(
                "A core can't use its token signing key: the file is missing, damaged or not PKCS#1",
                "某个 core 无法使用令牌签名密钥：文件缺失、损坏或不是 PKCS#1 格式",
            ),
        )


def unexplained(seen: Observations) -> Iterator[Finding]:
    """A token refused though keys and clocks agree."""
    explained = (
        len(all_kids(seen)) > 1
        or any(signing_failures(door) for door in doors(seen))
        or clock_spread(seen) > max(leeway_seconds(seen) - 5, 2)
    )
    if explained:
        return
    shown = crossings(seen, "token")
    taken = {crossing.taker for crossing in shown if crossing.answer.status == 200}
    direct = {door.name for door in doors(seen) if door.direct}
    # What only the entrance refuses, and always, is the entrance's doing: see `addresses.only_direct`.
    refused = [
        crossing
        for crossing in shown
        if crossing.answer.status == 401
        and (challenge(crossing.answer) or "").startswith("Basic")
        and not by_registry(crossing.answer)
        and crossing.taker in direct | taken
    ]
    if not refused:
        return
    ways: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for crossing in refused:
        ways[crossing.giver, crossing.taker].append(crossing.answer)
    yield Finding(
        None,
        Text(
            "A token is refused, though neither keys nor clocks explain it",
            "令牌被拒绝，但密钥与时钟都无法解释",
        ),
        tuple(
            Text(
                f"a token of {giver} shown at {taker}: refused {counted(len(answers), 'time')}, {told(answers[0])}",
                f"{giver} 的令牌在 {taker} 被拒绝 {len(answers)} 次，{told(answers[0])}",
            )
            for (giver, taker), answers in ways.items()
        ),
        "likely",
        Text(
            "Read the log of the core that refused at that moment (lines of v2_token.go and token.go).",
            "查看拒绝请求的 core 在该时刻的日志 (v2_token.go 与 token.go 的行)。",
        ),
    )


def _signed(door: Door) -> Text:
    found = kids(door)
    total = sum(found.values())
    parts = ", ".join(f"{kid or '(none)'} ({counted(count, 'time')})" for kid, count in found.most_common())
    parts_zh = "、".join(f"{kid or '(无)'} ({count} 次)" for kid, count in found.most_common())
    return Text(
        f"{door.name}: {counted(total, 'token')}, signed with {parts}",
        f"{door.name}：{total} 个令牌，签名密钥 {parts_zh}",
    )


def _refused_crossings(seen: Observations) -> tuple[int, int]:
    shown = crossings(seen, "token")
    return sum(crossing.answer.status == 401 for crossing in shown), len(shown)


def _verifies(seen: Observations, door: Door) -> Iterator[Text]:
    """A key in PKCS#8 verifies and can't sign; one that is missing or damaged does neither."""
    shown = [
        crossing.answer.status
        for crossing in crossings(seen, "token")
        if crossing.taker == door.name and crossing.giver != door.name
    ]
    if door.direct and shown and all(status == 200 for status in shown):
        yield Text(
            f"{door.name} takes tokens of others: the right key in the form PKCS#8, which Harbor can't sign with",
            f"{door.name} 接受其他 core 的令牌：密钥正确但为 PKCS#8 格式，Harbor 无法用其签名",
        )
    elif door.direct and shown:
        yield Text(
            f"{door.name} refuses tokens of others too: the file is missing, damaged or another key",
            f"{door.name} 也拒绝其他 core 的令牌：文件缺失、损坏或是另一把密钥",
        )
