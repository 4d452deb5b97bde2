"""What a Mooring refused in the last day, where a refusal shows a fault rather than a wrong password."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mooring.doctor.census import Refusals
from mooring.doctor.checks.cluster import censuses
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Observations
from mooring.doctor.texts import Text, counted

MANY: Final = 20
FLOOD: Final = 500


@dataclass(frozen=True)
class Sign:
    """So many refusals in a day for one of these reasons are worth a look."""

    reasons: frozenset[str]
    least: int
    title: Text
    remedy: Text
    harmless: bool = False


SIGNS: Final = (
    Sign(
        frozenset({"unknown_kid", "bad_signature", "wrong_issuer", "wrong_audience"}),
        MANY,
        Text(
            "Tokens of another registry, or of keys that are gone, are shown here",
            "有客户端出示其他 registry 或已失效密钥的令牌",
        ),
        Text(
            "Where replicas share one address with another registry, part them; after a restore let clients log in again. "
            "`mooring denials` lists who it was.",
            "如果副本与其他 registry 共用一个地址，请将其分开；恢复之后请让客户端重新登录。`mooring denials` 会列出是谁。",
        ),
    ),
    Sign(
        frozenset({"not_yet_valid"}),
        1,
        Text("Tokens were refused as not valid yet", "有令牌因尚未生效而被拒绝"),
        Text(
            "Cluster time keeps tokens of one registry in step: these are another's, or its database's clock jumped.",
            "集群时间保证同一 registry 的令牌一致：这些令牌来自其他 registry，或数据库时钟发生跳变。",
        ),
    ),
    Sign(
        frozenset({"expired"}),
        MANY,
        Text("Tokens ended before their use did", "令牌在使用结束之前已过期"),
        Text(
            "Long uploads need a longer token life: `mooring config set token_life_seconds SECONDS`.",
            "长时间的上传需要更长的令牌有效期：`mooring config set token_life_seconds 秒数`。",
        ),
    ),
    Sign(
        frozenset({"bad_credentials", "locked"}),
        FLOOD,
        Text("Wrong passwords come again and again", "反复出现错误密码"),
        Text(
            "Find the job that has an old password, or who guesses: `mooring denials --reason bad_credentials`. Right "
            "passwords are never refused for it.",
            "找出仍使用旧密码的任务或猜测密码者：`mooring denials --reason bad_credentials`。正确的密码不会因此被拒。",
        ),
        harmless=True,
    ),
)


def of_the_last_day(seen: Observations) -> Iterator[Finding]:
    for census in censuses(seen):
        for sign in SIGNS:
            found = [each for each in census.refusals if each.reason in sign.reasons]
            if sum(each.count for each in found) >= sign.least:
                yield Finding(None, sign.title, tuple(map(told, found)), "likely", sign.remedy, harmless=sign.harmless)


def told(each: Refusals) -> Text:
    return Text(
        f"{each.reason}: {counted(each.count, 'time')} in the last day, at {counted(each.replicas, 'replica')}, of "
        f"{counted(each.accounts, 'account')}, in {counted(each.repositories, 'repository', 'repositories')}, last at "
        f"{each.last_at}",
        f"{each.reason}：最近一天 {each.count} 次，涉及 {each.replicas} 个副本、{each.accounts} 个账号、"
        f"{each.repositories} 个仓库，最后一次在 {each.last_at}",
    )
