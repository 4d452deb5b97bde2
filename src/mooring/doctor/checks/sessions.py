"""Do the cores share what browsers and the cache rely on?"""

from collections.abc import Iterator

from mooring.doctor.checks.readings import crossings, doors, named, told
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Answer, Observations
from mooring.doctor.texts import Text


def csrf(seen: Observations) -> Iterator[Finding]:
    """Another core's CSRF token refused, where a core's own is taken."""
    shown = crossings(seen, "csrf")
    taken = {crossing.giver for crossing in shown if not _refused(crossing.answer) and crossing.answer.status < 500}
    refused = [crossing for crossing in shown if _refused(crossing.answer) and crossing.giver in taken]
    if refused:
        first = refused[0]
        yield named(
            "RC16",
            "certain",
            Text(
                f"a CSRF token of {first.giver} at {first.taker}: {told(first.answer)} ({len(refused)} of {len(shown)})",
                f"{first.giver} 的 CSRF 令牌在 {first.taker}：{told(first.answer)} ({len(shown)} 次中 {len(refused)} 次)",
            ),
            harmless=True,
        )


def stale_projects(seen: Observations) -> Iterator[Finding]:
    """A project's id by its own address comes from the cache, in a list from the database."""
    for door in doors(seen):
        for project in door.projects:
            if project.direct_id is not None and project.direct_status == 200 and project.direct_id != project.id:
                yield named(
                    "RC20",
                    "certain",
                    Text(
                        f"{door.name}: the project {project.name} has the id {project.id} in the database and "
                        f"{project.direct_id} in the cache",
                        f"{door.name}：项目 {project.name} 在数据库中的编号为 {project.id}，在缓存中为 {project.direct_id}",
                    ),
                )
                return


def _refused(answer: Answer) -> bool:
    return answer.status == 403 and "CSRF token" in answer.body
