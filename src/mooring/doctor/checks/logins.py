"""Are right credentials taken, every time and by every core?"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mooring.doctor.checks.backends import FAST_SECONDS, database_signs, hurried, redis_signs
from mooring.doctor.checks.readings import MISSING_PROJECT, authorized_answers, doors, judging_seconds, named, versions
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Door, Grant, Observations
from mooring.doctor.texts import Text, counted, same

ROBOT: Final = "robot"
EATEN: Final = re.compile(r"robot(\+.*)?$")
LDAP: Final = "ldap_auth"
DIRECTORIES: Final = frozenset({"ldap_auth", "oidc_auth", "uaa_auth", "http_auth"})


@dataclass(frozen=True)
class Outcome:
    """How the logins at one door went. A right password of a locked account is swallowed at once; a wrong one is
    slept on for 1.5 s."""

    door: Door
    taken: Sequence[Grant]
    judged: Sequence[Grant]
    swallowed: Sequence[Grant]

    @property
    def total(self) -> int:
        return len(self.taken) + len(self.judged) + len(self.swallowed)

    @property
    def text(self) -> Text:
        return Text(
            f"{self.door.name}: of {counted(self.total, 'login')} {len(self.taken)} were taken, {len(self.judged)} refused after "
            f"1.5 s, {len(self.swallowed)} answered at once with a token for nobody",
            f"{self.door.name}：{self.total} 次登录中 {len(self.taken)} 次成功，{len(self.judged)} 次在 1.5 秒后被拒，"
            f"{len(self.swallowed)} 次立即得到匿名令牌",
        )


def outcomes(seen: Observations) -> Sequence[Outcome]:
    return [_outcome(door) for door in doors(seen) if door.logins]


def credentials(seen: Observations) -> Iterator[Finding]:
    """Names why logins fail where neither the database nor Redis nor the way there does."""
    sound = [each for each in outcomes(seen) if not _elsewhere(each.door)]
    failing = [each for each in sound if each.judged or each.swallowed]
    if seen.asked is None or seen.asked.account is None or not failing:
        return
    name = seen.asked.account.name
    mode = next((door.info.auth_mode for door in doors(seen) if door.info.auth_mode), "")
    evidence = [each.text for each in sound]
    taken = any(each.taken for each in sound)
    judged = any(each.judged for each in failing)
    if not judged and mode in DIRECTORIES and not _robot(name):
        # A directory that can't be reached and a lock are both answered at once.
        yield named("RC5", "likely", *evidence, *_who(name), _mode(mode), related=("RC4",))
    elif not judged:
        yield named("RC4", "certain" if taken else "likely", *evidence, *_who(name))
    elif not taken:
        yield _refused_everywhere(name, mode, evidence)
    elif mode in DIRECTORIES and not _robot(name):
        yield named("RC5", "likely", *evidence, _mode(mode), related=("RC4",))
    elif any(each.door.direct and each.taken for each in failing):
        # One core knows an account or does not: what it takes now and then is locked now and then.
        yield named("RC4", "likely", *evidence, *_who(name))
    else:
        yield named("RC8", "likely", *evidence, *_who(name), title=_UNKNOWN_THERE)


def rights(seen: Observations) -> Iterator[Finding]:
    """A good login that may not push to the repository that was named."""
    if seen.asked is None or seen.asked.account is None or not seen.asked.repository_was_named:
        return
    repository = seen.asked.repository
    given = [grant.token for door in doors(seen) for grant in door.logins if grant.subject and grant.token]
    known = [token.access[repository] for token in given if repository in token.access]
    exists = not any(MISSING_PROJECT.search(a.body) for door in doors(seen) for a in authorized_answers(door))
    if known and exists and "/" in repository and not any("push" in actions for actions in known):
        may = ", ".join(known[0]) or "-"
        yield Finding(
            None,
            Text(f"The account may not push to {repository}", f"该账号无权推送到 {repository}"),
            (
                *_who(seen.asked.account.name),
                Text(
                    f"{counted(len(known), 'token')} for {repository}, with the right to: {may}",
                    f"{repository} 的 {len(known)} 个令牌只允许：{may}",
                ),
            ),
            "certain",
            Text(
                "Make it a developer (or more) of the project, or give the robot account the permission to push there.",
                "把该账号设为项目的开发者 (或更高角色)，或授予机器人账号在该项目推送的权限。",
            ),
        )


def unreachable_directory(seen: Observations) -> Iterator[Finding]:
    """A directory that is asked says no after 1.5 s, like Harbor itself; one that can't be reached fails at once."""
    evidence = [
        Text(
            f"{door.name}: a made-up name was turned away after {door.stranger.answer.seconds * 1000:.0f} ms, and a "
            "directory that answers takes Harbor 1.5 s",
            f"{door.name}：编造的名称在 {door.stranger.answer.seconds * 1000:.0f} 毫秒后被拒，而目录服务若有应答，Harbor "
            "需要 1.5 秒",
        )
        for door in doors(seen)
        if door.stranger and door.info.auth_mode == LDAP and hurried(door) and not _database_fails(door)
    ]
    if evidence:
        yield named("RC5", "likely", *evidence, _mode(LDAP), title=_UNREACHABLE)


def eaten_name(seen: Observations) -> Iterator[Finding]:
    if seen.asked is None or seen.asked.account is None:
        return
    name = seen.asked.account.name
    if EATEN.match(name) and not any(each.taken for each in outcomes(seen)):
        yield named(
            "RC18",
            "certain",
            Text(
                f"the name used was {name!r}: a robot's has a $, which shells and CI variables expand",
                f"所用名称为 {name!r}：机器人名称中应有 $，但 shell 与 CI 变量会将其展开",
            ),
        )


def panics(seen: Observations) -> Iterator[Finding]:
    """A core that drops the connection at a login, and at nothing else."""
    for door in doors(seen):
        closed = [grant for grant in door.logins if grant.answer.trouble == "closed"]
        if closed and not any(grant.answer.trouble for grant in door.anonymous):
            yield named(
                "RC23",
                "likely",
                Text(
                    f"{door.name}: {len(closed)} of {len(door.logins)} logins ended without an answer (the core "
                    "panics), requests without a login did not",
                    f"{door.name}：{len(door.logins)} 次登录中有 {len(closed)} 次没有应答就断开 (core 崩溃)，"
                    "不带登录的请求正常",
                ),
            )


def mixed_versions(seen: Observations) -> Iterator[Finding]:
    found = versions(seen)
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name}: {version}" for name, version in found.items())
        yield named("RC23", "certain", same(told))


def separate_databases(seen: Observations) -> Iterator[Finding]:
    """Lists of public projects come from the database, whoever asks."""
    lists = {
        door.name: frozenset(
            (project.name, project.id, project.created_at) for project in door.projects if project.public
        )
        for door in doors(seen)
        if door.direct and door.listing and door.listing.status == 200
    }
    if len(set(lists.values())) > 1:
        different = frozenset.union(*lists.values()) - frozenset.intersection(*lists.values())
        names = ", ".join(sorted({name for name, *_ in different})[:5])
        yield named(
            "RC8",
            "certain",
            Text(
                f"the cores list different public projects: {names}",
                f"各 core 列出的公开项目不同：{names}",
            ),
        )


_UNREACHABLE: Final = Text("The directory behind the login can't be reached", "无法连接登录所依赖的目录服务")
_UNKNOWN_THERE: Final = Text(
    "One core does not know an account that another takes: their databases differ or one lags behind",
    "某个 core 不认识另一个 core 接受的账号：它们的数据库不同，或其中一个滞后",
)


def _outcome(door: Door) -> Outcome:
    answered = [grant for grant in door.logins if grant.answer.status in {200, 401}]
    taken = [grant for grant in answered if grant.subject]
    refused = [grant for grant in answered if grant not in taken]
    return Outcome(
        door,
        taken,
        [grant for grant in refused if judging_seconds(door, grant.answer) >= FAST_SECONDS],
        [grant for grant in refused if judging_seconds(door, grant.answer) < FAST_SECONDS],
    )


def _elsewhere(door: Door) -> bool:
    """Whether this door's logins can't be judged: something else swallows them."""
    return _database_fails(door) or bool(redis_signs(door)) or hurried(door)


def _database_fails(door: Door) -> bool:
    strong, weak = database_signs(door)
    return bool(strong) or len(weak) > 1


def _refused_everywhere(name: str, mode: str, evidence: Sequence[Text]) -> Finding:
    if _robot(name):
        return named("RC18", "likely", *evidence, *_who(name))
    if mode in DIRECTORIES:
        return named("RC5", "possible", *evidence, _mode(mode))
    return Finding(
        None,
        Text("The credentials are refused by every core", "所有 core 都拒绝该凭据"),
        (*evidence, *_who(name)),
        "certain",
        Text("Check the name and the password.", "请检查用户名与密码。"),
    )


def _robot(name: str) -> bool:
    return name.startswith(ROBOT) or "$" in name


def _who(name: str) -> tuple[Text, ...]:
    return (Text(f"the account is {name}", f"账号为 {name}"),)


def _mode(mode: str) -> Text:
    return Text(f"people log in through {mode}", f"用户通过 {mode} 登录")
