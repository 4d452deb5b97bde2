"""Does every address answer, and with a certificate that clients take?"""

from collections.abc import Iterator, Sequence
from typing import Final

from mooring.doctor.checks.readings import astray, doors, told
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Answer, Door, Observations
from mooring.doctor.texts import Text, same
from mooring.doctor.times import shown
from mooring.egress.certificates import Certificate

DAY_SECONDS: Final = 86_400.0
RENEWED_DAYS: Final = 14
WRITE_REFUSALS: Final = frozenset({403, 405, 411, 412, 413, 429})
GATEWAY: Final = frozenset({502, 503, 504})


def silent(seen: Observations) -> Iterator[Finding]:
    for door in seen.asked.doors if seen.asked else ():
        if not door.ping.status and not _untrusted(seen, door):
            yield Finding(
                None,
                Text(f"{door.name} does not answer", f"{door.name} 没有应答"),
                (same(f"{door.url}: {door.ping.trouble} {door.ping.detail}".strip()),),
                "likely" if door.direct else "certain",
                Text(
                    "See whether it runs, and whether this machine may reach it. A load balancer must not send pushes there.",
                    "检查其是否在运行，以及本机能否访问它。负载均衡不应把推送转发到那里。",
                ),
            )


def gateways(seen: Observations) -> Iterator[Finding]:
    """What stands in front has nobody to ask, now and then or always."""
    for door in doors(seen):
        asked = _plain_answers(door)
        failed = [answer for answer in asked if answer.status in GATEWAY]
        closed = [answer for answer in asked if answer.trouble in {"closed", "refused"}]
        if failed or closed:
            count = len(failed) + len(closed)
            yield Finding(
                None,
                Text(
                    f"{door.name} is answered for by nobody, now and then"
                    if count < len(asked)
                    else f"Nobody stands behind {door.name}",
                    f"{door.name} 时而无人应答" if count < len(asked) else f"{door.name} 后面无人应答",
                ),
                (
                    Text(
                        f"{door.name}: {count} of {len(asked)} answers: {told((failed or closed)[0])}",
                        f"{door.name}：{len(asked)} 次应答中有 {count} 次：{told((failed or closed)[0])}",
                    ),
                ),
                "certain",
                Text(
                    "See which core does not run, and let the load balancer ask each for its health and try another one.",
                    "找出没有运行的 core，并让负载均衡做健康检查、改试另一个。",
                ),
            )


def registry_path(seen: Observations) -> Iterator[Finding]:
    """`GET /v2/` without credentials is 401 with a challenge in every registry of this kind."""
    for door in doors(seen):
        if odd := astray(door):
            yield Finding(
                None,
                Text(f"/v2/ does not lead to Harbor at {door.name}", f"{door.name} 的 /v2/ 没有通向 Harbor"),
                (
                    Text(
                        f"{door.name}: GET /v2/ without credentials is {told(odd[0])}, and must be 401 with a challenge",
                        f"{door.name}：不带凭据的 GET /v2/ 得到 {told(odd[0])}，应为带质询的 401",
                    ),
                ),
                "certain",
                Text(
                    "Look at the rules of the proxy, ingress or firewall in front: /v2/, /service/ and /api/ must all reach "
                    "the cores, with every method.",
                    "检查前置代理、ingress 或防火墙的规则：/v2/、/service/ 与 /api/ 都必须以所有方法到达 core。",
                ),
            )


def writes(seen: Observations) -> Iterator[Finding]:
    """An upload that is refused for none of the reasons that other checks know."""
    if any(door.info.read_only for door in doors(seen)):
        return
    evidence = []
    for door in doors(seen):
        odd = [answer for answer in door.uploads if answer.status in WRITE_REFUSALS]
        if odd and not astray(door):
            evidence.append(
                Text(
                    f"{door.name}: {len(odd)} of {len(door.uploads)} uploads that a good token may open: {told(odd[0])}",
                    f"{door.name}：有效令牌可打开的 {len(door.uploads)} 次上传中有 {len(odd)} 次：{told(odd[0])}",
                )
            )
    if evidence:
        yield Finding(
            None,
            Text("Uploads are refused", "上传被拒绝"),
            tuple(evidence),
            "certain",
            Text(
                "The answer says whose it is: Harbor's has a JSON error, anything else comes from the proxy or firewall in "
                "front, which must let every method through.",
                "应答表明了来源：Harbor 的应答是 JSON 错误，其他则来自前置代理或防火墙，它们必须放行所有方法。",
            ),
        )


def read_only(seen: Observations) -> Iterator[Finding]:
    found = [door.name for door in doors(seen) if door.info.read_only]
    if found:
        names = ", ".join(found)
        yield Finding(
            None,
            Text("Harbor is in read-only mode", "Harbor 处于只读模式"),
            (Text(f"systeminfo says so at {names}", f"{names} 的 systeminfo 如此报告"),),
            "certain",
            Text(
                "Turn it off when what it was turned on for is done: Configuration, System Settings.",
                "相应工作完成后请关闭：配置管理 → 系统设置。",
            ),
        )


def quota(seen: Observations) -> Iterator[Finding]:
    found = seen.asked.quota if seen.asked else None
    if found is not None and 0 <= found.hard <= found.used:
        yield Finding(
            None,
            Text(f"The quota of the project {found.project} is used up", f"项目 {found.project} 的配额已用尽"),
            (Text(f"{found.used} of {found.hard} bytes", f"{found.hard} 字节中已用 {found.used}"),),
            "certain",
            Text(
                "Raise the quota, or delete artifacts and collect garbage. Pushes are refused with 403 at their end.",
                "提高配额，或删除制品并执行垃圾回收。推送会在最后以 403 被拒绝。",
            ),
        )


def certificates(seen: Observations) -> Iterator[Finding]:
    for name, each in seen.asked.certificates.items() if seen.asked else ():
        left = (each.not_after - seen.made_at) / DAY_SECONDS
        if each.refused:
            local = "issuer" in each.refused or "self-signed" in each.refused or "self signed" in each.refused
            yield Finding(
                None,
                Text(f"The certificate of {name} is refused", f"{name} 的证书被拒绝"),
                (same(f"{name}: {each.refused}"), *_described(each)),
                "possible" if local else "certain",
                Text(
                    "Give the whole chain with the name that clients use. An authority of your own must be known to every "
                    "client (docker: /etc/docker/certs.d); give it here by --ca-file.",
                    "提供完整的证书链，且名称与客户端所用一致。自有 CA 须为每个客户端所知 (docker：/etc/docker/certs.d)；此处用 --ca-file 指定。",
                ),
            )
        elif each.not_after and left < RENEWED_DAYS:
            yield Finding(
                None,
                Text(f"The certificate of {name} ends in {left:.0f} days", f"{name} 的证书将在 {left:.0f} 天后到期"),
                tuple(_described(each)),
                "certain",
                Text("Renew it.", "请续期。"),
                harmless=True,
            )


def _plain_answers(door: Door) -> Sequence[Answer]:
    """Answers to questions that need nothing but a core."""
    return [door.ping, *door.challenges, *(grant.answer for grant in door.anonymous)]


def _untrusted(seen: Observations, door: Door) -> bool:
    found = seen.asked.certificates.get(door.name) if seen.asked else None
    return found is not None and bool(found.refused)


def _described(each: Certificate) -> Iterator[Text]:
    if each.not_after:
        names, until = ", ".join(each.names) or "-", shown(each.not_after)
        yield Text(
            f"it is for {names}, from {each.issuer}, until {until}",
            f"其名称为 {names}，签发者为 {each.issuer}，有效期至 {until}",
        )
