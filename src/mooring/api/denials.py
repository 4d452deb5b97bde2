"""The denial log: who was refused what, when, and why. Harbor has none; the paths and shapes are ours."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import InProject, System
from mooring.api.fields import Shape
from mooring.api.paging import Chained
from mooring.api.visit import Visit
from mooring.cluster.clock import rfc3339
from mooring.observe.denials import log
from mooring.projects import denials

LIST = Permission("denial", "list")

router = routing.router("denial")


class Denial(Shape):
    """One row stands for `occurrences` refusals between `time` and `last_time`: under a flood the rest is counted."""

    id: str
    time: str
    last_time: str
    occurrences: int
    request_id: str
    reason: str
    status: int
    method: str
    path: str
    subject: str
    project: str
    repository: str
    action: str
    client: str
    user_agent: str
    replica: str
    explanation: str
    facts: dict[str, Any]


@router.get("/denials")
async def list_denials(chain: Chained, visit: Annotated[Visit, Depends(System(LIST))]) -> list[Denial]:
    """Newest first. `q` takes request_id, reason, subject, project, repository, replica and time=[from~to]."""
    return chain.answer(await visit.parts.database.read(log.page, chain.selected, chain.after), shape)


@router.get("/projects/{project_name_or_id}/denials")
async def list_project_denials(chain: Chained, visit: Annotated[Visit, Depends(InProject(LIST))]) -> list[Denial]:
    """Those within one project. Names of which nothing was proven are shortened."""
    found = await visit.parts.database.read(denials.page, visit.project_id, chain.selected, chain.after)
    return chain.answer(found, shape)


def shape(row: Mapping[Any, Any]) -> Denial:
    told = {name: row[name] for name in Denial.model_fields if name in row}
    return Denial(**told, time=rfc3339(row["at"]), last_time=rfc3339(row["last_at"]), explanation=row["sentence"])
