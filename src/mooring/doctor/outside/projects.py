"""The projects that a caller sees, and a repository to try."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from mooring.doctor.observations import Answer, Project, Quota
from mooring.doctor.outside.asking import Line, answer, content
from mooring.doctor.shapes import mapping, number, sequence, word
from mooring.doctor.times import seconds_of

DEFAULT: Final = "library"
NAME: Final = "mooring-doctor"
LOOKED_AT: Final = 5


async def listed(line: Line, authorization: str | None) -> tuple[Answer, tuple[Project, ...]]:
    reply = await line.ask("GET", "/api/v2.0/projects?page=1&page_size=50&sort=name", authorization=authorization)
    projects = tuple(_project(row) for row in sequence(content(reply)) if isinstance(row, dict) and row.get("name"))
    return answer(reply, body=reply.status != 200), projects


async def compared(line: Line, authorization: str | None, projects: Sequence[Project]) -> tuple[Project, ...]:
    """The first few also by their own address, which Harbor may answer from a cache."""
    looked_at = []
    for project in projects[:LOOKED_AT]:
        reply = await line.ask(
            "GET",
            f"/api/v2.0/projects/{quote(project.name, safe='')}",
            authorization=authorization,
            headers={"x-is-resource-name": "true"},
        )
        found = content(reply)
        direct = int(number(found.get("project_id"))) if isinstance(found, dict) else None
        looked_at.append(replace(project, direct_id=direct, direct_status=reply.status))
    return (*looked_at, *projects[LOOKED_AT:])


async def quota(line: Line, authorization: str, project: str) -> Quota | None:
    """None where nobody tells, and where there is none."""
    reply = await line.ask(
        "GET",
        f"/api/v2.0/projects/{quote(project, safe='')}/summary",
        authorization=authorization,
        headers={"x-is-resource-name": "true"},
    )
    found = mapping(mapping(content(reply)).get("quota"))
    hard, used = (mapping(found.get(name)).get("storage") for name in ("hard", "used"))
    return None if hard is None or used is None else Quota(project, int(number(hard)), int(number(used)))


def candidates(projects: Iterable[Project]) -> list[str]:
    """Repositories that could be tried, the likeliest first; never of a proxy cache, which would ask upstream."""
    names = [project.name for project in projects if not project.proxy]
    ordered = sorted(names, key=lambda name: name != DEFAULT)
    return [f"{name}/{NAME}" for name in ordered[:10]] or [f"{DEFAULT}/{NAME}"]


def _project(row: Mapping[str, Any]) -> Project:
    return Project(
        name=word(row.get("name")),
        id=int(number(row.get("project_id"))),
        public=word(mapping(row.get("metadata")).get("public")).lower() == "true",
        created_at=seconds_of(row.get("creation_time")),
        proxy=bool(row.get("registry_id")),
    )
