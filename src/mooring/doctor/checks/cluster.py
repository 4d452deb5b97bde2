"""Do the replicas of a Mooring agree, as each said of itself, and is the work of all done in time?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mooring.doctor.census import Census, Member
from mooring.doctor.findings import Confidence, Finding
from mooring.doctor.observations import Observations
from mooring.doctor.texts import Text, same

SETTLED_SECONDS: Final = 15.0
"""A change has reached every replica that lives, and been told by it, long before."""
CLOCK_SECONDS: Final = 10.0
CLOCK_ERROR_SECONDS: Final = 1.0
LATE_SECONDS: Final = 900.0
ROUNDS: Final = 5


def censuses(seen: Observations) -> Sequence[Census]:
    """One or none: what the cluster told over HTTP, else what its database says, which is the same."""
    told = seen.asked.census if seen.asked else None
    read = seen.installation.census if seen.installation else None
    found = told or read
    return [found] if found else []


def members(seen: Observations) -> Iterator[Finding]:
    """Replicas that are not ready, but for those that said so themselves; and those that went without a word."""
    known = {replica.name for replica in seen.asked.replicas if not replica.ready} if seen.asked else set()
    for census in censuses(seen):
        living = _living(census)
        for member in living:
            if not member.ready and member.name not in known:
                yield _finding(
                    Text(f"The replica {member.name} is not ready", f"副本 {member.name} 未就绪"),
                    [Text(f"{name}: {text}", f"{name}：{text}") for name, text in member.failed.items()],
                    _FAILED,
                )
        given = {member.given_name for member in living}
        gone = [each for each in census.replicas if not each.alive and each.given_name not in given]
        if gone:
            yield _finding(
                Text("Replicas went without saying so", "有副本未告知就消失了"),
                [
                    Text(
                        f"{each.name} on {each.host} was last heard of {each.seen_seconds_ago:.0f} s ago",
                        f"{each.host} 上的 {each.name} 最后一次出现在 {each.seen_seconds_ago:.0f} 秒前",
                    )
                    for each in gone
                ],
                Text(
                    "If they were not stopped on purpose, look at their hosts and logs. They are forgotten after an hour.",
                    "若并非有意停止，请检查其主机与日志。一小时后会自动遗忘。",
                ),
                confidence="likely",
                harmless=True,
            )


def versions(seen: Observations) -> Iterator[Finding]:
    for census in censuses(seen):
        evidence = _apart({each.name: each.version for each in _living(census)})
        if evidence:
            yield _finding(
                Text("Replicas of different versions serve together", "不同版本的副本同时提供服务"),
                evidence,
                Text(
                    "An upgrade does that for a while, and is made for it. End it: docs/operating.md.",
                    "升级期间会短暂如此，这是允许的。请完成升级：docs/operating.md。",
                ),
                harmless=True,
            )
        elif census.schema_pending and _living(census):
            pending = ", ".join(census.schema_pending)
            yield _finding(
                Text("A migration is left to be applied", "仍有未执行的迁移"),
                [Text(f"schema {pending}", f"模式 {pending}")],
                Text("Run `mooring migrate --phase after`.", "运行 `mooring migrate --phase after`。"),
                harmless=True,
            )


def configuration(seen: Observations) -> Iterator[Finding]:
    """Settings that are apart, and replicas that have not taken up the newest."""
    for census in censuses(seen):
        found = [each for each in _settled(census) if each.settings]
        old = [each for each in found if each.configuration_version < census.configuration_version]
        if old and census.configuration_seconds_old > SETTLED_SECONDS:
            yield _finding(
                Text("Replicas have not taken up the newest configuration", "有副本尚未采用最新配置"),
                [
                    Text(
                        f"{each.name} has version {each.configuration_version} of {census.configuration_version}",
                        f"{each.name} 的版本为 {each.configuration_version}，最新为 {census.configuration_version}",
                    )
                    for each in old
                ],
                Text("Look at their logs: they can't read it.", "查看其日志：它们无法读取配置。"),
            )
        names = {name for each in found for name in each.settings} - set(census.configuration)
        for name in sorted(names):
            # An older version does not know the setting.
            held = {each.name: each.settings[name] for each in found if name in each.settings}
            if evidence := _apart(held):
                yield _finding(
                    Text(f"The setting {name} differs between replicas", f"各副本的设置 {name} 不同"),
                    evidence,
                    Text(
                        f"Give every replica the same, or keep it in the database: `mooring config set {name} VALUE`.",
                        f"让每个副本使用相同的值，或将其存入数据库：`mooring config set {name} VALUE`。",
                    ),
                )


def keys(seen: Observations) -> Iterator[Finding]:
    for census in censuses(seen):
        held = {each.name: ", ".join(sorted(each.keys)) for each in _settled(census) if each.ready and each.keys}
        if evidence := _apart(held):
            yield _finding(
                Text("Replicas hold different signing keys", "各副本持有的签名密钥不同"),
                evidence,
                Text(
                    "Look again in half a minute: a rotation may be under way. Else look at the logs of those that lack one.",
                    "半分钟后再看：可能正在轮换。否则请查看缺少密钥的副本的日志。",
                ),
            )


def clocks(seen: Observations) -> Iterator[Finding]:
    """Cluster time is the database's, so that a wall clock refuses nothing; logs and certificates go by it."""
    for census in censuses(seen):
        wrong = [each for each in _living(census) if abs(each.clock_offset_seconds) > CLOCK_SECONDS]
        if wrong:
            yield _finding(
                Text("The clocks of replicas are wrong", "有副本的时钟不准"),
                [_offset(each) for each in wrong],
                Text(
                    "Run a time service (chrony, systemd-timesyncd) on these hosts. Tokens are right all the same.",
                    "在这些主机上运行时间同步服务 (chrony、systemd-timesyncd)。令牌不受影响。",
                ),
                harmless=True,
            )
        unsure = [each for each in _living(census) if each.clock_error_seconds > CLOCK_ERROR_SECONDS]
        if unsure:
            yield _finding(
                Text("The database answers replicas slowly", "数据库应答过慢"),
                [
                    Text(
                        f"{each.name}: asking for the time took {2 * each.clock_error_seconds:.1f} s",
                        f"{each.name}：询问时间耗时 {2 * each.clock_error_seconds:.1f} 秒",
                    )
                    for each in unsure
                ],
                Text(
                    "Look at the database's load, and at the network between.",
                    "检查数据库的负载以及中间的网络。",
                ),
                confidence="likely",
            )


def queues(seen: Observations) -> Iterator[Finding]:
    for census in censuses(seen):
        if not census.collection:
            continue
        late = max(LATE_SECONDS, ROUNDS * census.collection_interval_seconds)
        waiting = [each for each in census.queues if each.behind_seconds > late]
        if waiting:
            yield _finding(
                Text("Work of the cluster waits", "集群的后台工作积压"),
                [
                    Text(
                        f"{each.name}: {each.waiting} due, the oldest for {each.behind_seconds / 60:.0f} minutes",
                        f"{each.name}：{each.waiting} 项到期，最久的已等待 {each.behind_seconds / 60:.0f} 分钟",
                    )
                    for each in waiting
                ],
                Text(
                    "Nothing is lost, and pushes do not wait for it. See whether a process works (docs/operating.md) and "
                    "what its log says of `work_failed`.",
                    "没有数据丢失，推送也不受影响。请确认有进程在工作 (docs/operating.md)，并查看日志中的 `work_failed`。",
                ),
                harmless=True,
            )


_FAILED: Final = Text("Do what the failed checks say: docs/operating.md.", "按失败的检查项处理：docs/operating.md。")


def _living(census: Census) -> Sequence[Member]:
    return [each for each in census.replicas if each.alive]


def _settled(census: Census) -> Sequence[Member]:
    """Those whose last word is new enough to show what is in force there now."""
    return [each for each in _living(census) if each.seen_seconds_ago < SETTLED_SECONDS]


def _apart(held: Mapping[str, str]) -> list[Text]:
    """Who has what, when they have not all the same."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, value in held.items():
        groups[value].append(name)
    return [same(f"{', '.join(names)}: {value}") for value, names in groups.items()] if len(groups) > 1 else []


def _offset(member: Member) -> Text:
    seconds, unsure = member.clock_offset_seconds, member.clock_error_seconds
    return Text(
        f"{member.name} on {member.host}: {seconds:+.1f} s ± {unsure:.1f} from cluster time",
        f"{member.host} 上的 {member.name}：与集群时间相差 {seconds:+.1f} 秒 ± {unsure:.1f}",
    )


def _finding(
    title: Text, evidence: Sequence[Text], remedy: Text, *, confidence: Confidence = "certain", harmless: bool = False
) -> Finding:
    return Finding(None, title, tuple(evidence), confidence, remedy, harmless=harmless)
