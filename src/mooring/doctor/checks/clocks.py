"""Do the cores' clocks agree, with each other and with the projects' ages?"""

from collections.abc import Iterator

from mooring.doctor.checks.readings import (
    LEEWAY_SECONDS,
    WORTH_SAYING_SECONDS,
    clock_offsets,
    clock_spread,
    clocks_refuse,
    doors,
    leeway_seconds,
    named,
)
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Observations
from mooring.doctor.texts import Text, counted


def apart(seen: Observations) -> Iterator[Finding]:
    spread = clock_spread(seen)
    leeway = leeway_seconds(seen)
    refuses = clocks_refuse(seen, spread)
    if not refuses and spread < WORTH_SAYING_SECONDS:
        return
    evidence = []
    for door in doors(seen):
        offsets = clock_offsets(door)
        if offsets:
            low, high = min(offsets), max(offsets)
            shown = f"{low:+.0f} s" if high - low < 3 else f"{low:+.0f} … {high:+.0f} s"
            evidence.append(
                Text(
                    f"{door.name}: issue times of {counted(len(offsets), 'token')} are {shown} from this machine's clock",
                    f"{door.name}：{len(offsets)} 个令牌的签发时间与本机时钟相差 {shown}",
                )
            )
    forgiven = Text(f"Harbor forgives {leeway} s here", f"此处 Harbor 容忍 {leeway} 秒")
    if refuses:
        yield named("RC2", "certain", *evidence, forgiven)
    else:
        title = Text(
            f"The cores' clocks are {spread:.0f} s apart: not enough to refuse pushes yet",
            f"各 core 的时钟相差约 {spread:.0f} 秒：目前尚不足以导致推送被拒",
        )
        yield named("RC2", "possible", *evidence, forgiven, title=title, harmless=True)


def young_projects(seen: Observations) -> Iterator[Finding]:
    """A core whose clock is behind a project's birth refuses the tokens that it signs itself (since 2.13.5)."""
    projects = {project.name: project for door in doors(seen) for project in door.projects if project.created_at}
    for door in doors(seen):
        for offset in sorted(set(map(round, clock_offsets(door)))):
            young = [
                project for project in projects.values() if project.created_at > door.ping.at + offset + LEEWAY_SECONDS
            ]
            if young:
                name = young[0].name
                late = young[0].created_at - door.ping.at - offset
                yield named(
                    "RC3",
                    "certain",
                    Text(
                        f"{door.name}: tokens are dated {late:.0f} s before the project {name} was made",
                        f"{door.name}：令牌的日期比项目 {name} 的创建时间早 {late:.0f} 秒",
                    ),
                )
                return
