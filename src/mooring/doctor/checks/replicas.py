"""Is every replica of a Mooring ready, and do all hold one keyring?"""

from collections.abc import Iterator

from mooring.doctor.checks.readings import crossings, told
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Observations
from mooring.doctor.texts import Text, same


def readiness(seen: Observations) -> Iterator[Finding]:
    for replica in seen.asked.replicas if seen.asked else ():
        if not replica.ready:
            yield Finding(
                None,
                Text(f"The replica {replica.name} is not ready", f"副本 {replica.name} 未就绪"),
                tuple(Text(f"{name}: {text}", f"{name}：{text}") for name, text in replica.failed.items()),
                "certain",
                Text("Do what the failed checks say: docs/operating.md.", "按失败的检查项处理：docs/operating.md。"),
            )


def warnings(seen: Observations) -> Iterator[Finding]:
    for replica in seen.asked.replicas if seen.asked else ():
        for name, text in replica.warnings.items():
            yield Finding(
                None,
                Text(f"The replica {replica.name} warns of its {name}", f"副本 {replica.name} 对 {name} 发出警告"),
                (same(text),),
                "certain",
                Text("Do what the warning says: docs/operating.md.", "按警告处理：docs/operating.md。"),
                harmless=True,
            )


def keyrings(seen: Observations) -> Iterator[Finding]:
    found = seen.asked.keyrings if seen.asked else {}
    if len({keys for each in found.values() for keys in each}) > 1:
        told_of = [f"{door}: {' | '.join(', '.join(keys) for keys in each)}" for door, each in found.items()]
        yield Finding(
            None,
            Text("Replicas publish different signing keys", "各副本公布的签名密钥不同"),
            tuple(same(text) for text in told_of),
            "certain",
            Text(
                "Point all replicas at one database: `mooring cluster status` lists those that it knows.",
                "让所有副本使用同一个数据库：`mooring cluster status` 会列出它所知的副本。",
            ),
        )


def tokens(seen: Observations) -> Iterator[Finding]:
    for crossing in crossings(seen, "token") if seen.asked and seen.asked.replicas else ():
        if crossing.answer.status == 401:
            yield Finding(
                None,
                Text(
                    f"A token of {crossing.giver} is refused at {crossing.taker}",
                    f"{crossing.giver} 的令牌在 {crossing.taker} 被拒绝",
                ),
                (same(told(crossing.answer)),),
                "certain",
                Text("The answer has the reason: docs/refusals.md.", "应答中有原因：docs/refusals.md。"),
            )
            return
