"""Projects."""

from typing import Annotated, Any, ClassVar

from fastapi import Depends, Header, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection, RowMapping

from mooring.access.permissions import Permission, Role
from mooring.api import routing
from mooring.api.access import InProject, Login, Open, System
from mooring.api.answers import created
from mooring.api.fields import Body, Line, Number, Shape, named
from mooring.api.paging import Whole
from mooring.api.visit import Visit
from mooring.cluster.clock import rfc3339
from mooring.database.selection import Exact, Fuzzy
from mooring.errors import Invalid, NotFound
from mooring.observe.audit import log as audit
from mooring.observe.audit.log import Act
from mooring.projects import metadata, projects

CREATE, LIST, READ, UPDATE, DELETE = (
    Permission("project", action) for action in ("create", "list", "read", "update", "delete")
)
READ_QUOTA, LIST_MEMBERS = Permission("quota", "read"), Permission("member", "list")

router = routing.router("project", "/projects")


class Allowlist(Shape):
    id: int = 0
    project_id: int
    items: list[dict[str, str]] = Field(default_factory=list)
    creation_time: str
    update_time: str


class Project(Shape):
    project_id: int
    owner_id: int | None = None
    owner_name: str
    name: str
    registry_id: int | None = None
    creation_time: str
    update_time: str
    deleted: bool = False
    togglable: bool | None = None
    current_user_role_id: int
    current_user_role_ids: list[int]
    repo_count: int
    metadata: dict[str, str]
    cve_allowlist: Allowlist


class AllowlistBody(Body):
    dropped: ClassVar[frozenset[str]] = frozenset({"id", "project_id", "expires_at", "creation_time", "update_time"})

    items: list[dict[str, Any]] | None = None


class ProjectBody(Body):
    """`storage_limit`, `registry_id` and `cve_allowlist` are taken where they ask for nothing special only."""

    dropped: ClassVar[frozenset[str]] = named(
        "project_id owner_id owner_name name creation_time update_time deleted togglable current_user_role_id "
        "current_user_role_ids repo_count chart_count count_limit"
    )

    project_name: Line | None = None
    public: bool | None = None
    metadata: dict[str, Line | None] | None = None
    storage_limit: Number | None = None
    registry_id: Number | None = None
    cve_allowlist: AllowlistBody | None = None

    def kept_metadata(self) -> dict[str, str]:
        """With `public` in it, if it is said at all. Raises Invalid."""
        given = dict(self.metadata or {})
        if self.public is not None and given.get(metadata.PUBLIC) is None:
            given[metadata.PUBLIC] = "true" if self.public else "false"
        # As Harbor does: an unknown name here is a setting of another version, not a mistake.
        return metadata.checked({key: value for key, value in given.items() if key in metadata.NAMES})

    def require_supported(self) -> None:
        """Raises Invalid: what would be promised and not kept."""
        if self.storage_limit is not None and self.storage_limit > 0:
            raise Invalid("This version of Mooring has no quotas yet. Leave storage_limit out, or give -1.")
        if self.registry_id:
            raise Invalid("This version of Mooring has no proxy cache yet. Leave registry_id out.")
        if self.cve_allowlist is not None and self.cve_allowlist.items:
            raise Invalid("This version of Mooring has no CVE allowlists yet. Leave cve_allowlist out.")


class Deletable(Shape):
    deletable: bool
    message: str


class Quota(Shape):
    hard: dict[str, int]
    used: dict[str, int]


class Summary(Shape):
    repo_count: int
    project_admin_count: int | None = None
    maintainer_count: int | None = None
    developer_count: int | None = None
    guest_count: int | None = None
    limited_guest_count: int | None = None
    quota: Quota | None = None


@router.get("")
async def list_projects(
    listing: Whole,
    visit: Annotated[Visit, Depends(Open(LIST))],
    name: Annotated[Line | None, Query()] = None,
    public: Annotated[bool | None, Query()] = None,
    owner: Annotated[Line | None, Query()] = None,
    with_detail: Annotated[bool, Query(description="Taken for Harbor's sake.")] = True,
) -> list[Project]:
    selected = listing.selected
    if name:
        selected = selected.with_test("name", Fuzzy(name))
    if owner:
        selected = selected.with_test("owner", Exact(owner))
    if public is not None:
        selected = selected.with_test("public", Exact("true" if public else "false"))
    page = await visit.parts.database.read(
        projects.page,
        visit.subject,
        visit.parts.clock.now(),
        selected,
        all_of_them=LIST in visit.standing.permissions,
    )
    return listing.answer(page, lambda row: _shape(row, visit))


@router.head("", response_class=Response)
async def head_project(project_name: Annotated[Line, Query()], visit: Annotated[Visit, Depends(Login())]) -> Response:
    now = visit.parts.clock.now()
    if not await visit.parts.database.read(projects.exists, project_name, visit.subject, now):
        raise NotFound(f"The project {project_name} does not exist.")
    return Response()


@router.post("", status_code=201, response_class=Response)
async def create_project(
    request: Request,
    project: ProjectBody,
    visit: Annotated[Visit, Depends(System(CREATE))],
    x_resource_name_in_location: Annotated[bool, Header()] = False,
) -> Response:
    project.require_supported()
    kept = project.kept_metadata()
    name = project.project_name or ""
    project_id = await visit.parts.database.write(
        _create,
        visit,
        visit.parts.clock.now(),
        name=name,
        public=metadata.is_public(kept) or False,
        metadata=_without_public(kept),
        creator=visit.subject,
    )
    return created(request, name if x_resource_name_in_location else project_id)


@router.get("/{project_name_or_id}")
async def get_project(visit: Annotated[Visit, Depends(InProject(READ))]) -> Project:
    return _shape(await visit.parts.database.read(projects.find, visit.project_id, visit.subject), visit)


@router.put("/{project_name_or_id}", response_class=Response)
async def update_project(project: ProjectBody, visit: Annotated[Visit, Depends(InProject(UPDATE))]) -> Response:
    project.require_supported()
    kept = project.kept_metadata()
    await visit.parts.database.write(
        visit.noted("update", "project", visit.project, projects.change),
        visit.parts.clock.now(),
        visit.project_id,
        public=metadata.is_public(kept),
        metadata=_without_public(kept),
    )
    return Response()


@router.delete("/{project_name_or_id}", response_class=Response)
async def delete_project(visit: Annotated[Visit, Depends(InProject(DELETE))]) -> Response:
    await visit.parts.database.write(visit.noted("delete", "project", visit.project, projects.remove), visit.project_id)
    return Response()


@router.get("/{project_name_or_id}/_deletable")
async def get_deletable(visit: Annotated[Visit, Depends(InProject(DELETE))]) -> Deletable:
    found = await visit.parts.database.read(projects.obstacle, visit.project_id)
    return Deletable(deletable=found is None, message=found or "")


@router.get("/{project_name_or_id}/summary")
async def get_summary(visit: Annotated[Visit, Depends(InProject(READ))]) -> Summary:
    found = await visit.parts.database.read(projects.summary, visit.project_id)
    answer = Summary(repo_count=found.repositories)
    if READ_QUOTA in visit.standing.permissions:
        answer.quota = Quota(hard={"storage": -1}, used={"storage": found.bytes_used})
    if LIST_MEMBERS in visit.standing.permissions:
        answer.project_admin_count = found.members.get(Role.PROJECT_ADMIN, 0)
        answer.maintainer_count = found.members.get(Role.MAINTAINER, 0)
        answer.developer_count = found.members.get(Role.DEVELOPER, 0)
        answer.guest_count = found.members.get(Role.GUEST, 0)
        answer.limited_guest_count = found.members.get(Role.LIMITED_GUEST, 0)
    return answer


def _create(connection: Connection, /, visit: Visit, now: int, **given: Any) -> int:
    project_id = projects.create(connection, now, **given)
    audit.note(connection, now, Act(visit.caller.name, "create", "project", given["name"], project_id))
    return project_id


def _without_public(kept: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in kept.items() if key != metadata.PUBLIC}


def _shape(row: RowMapping, visit: Visit) -> Project:
    role, admin = row["role_id"], visit.standing.system_admin
    made, changed = rfc3339(row["created_at"]), rfc3339(row["updated_at"])
    return Project(
        project_id=row["id"],
        owner_id=row["owner_id"],
        owner_name=row["owner_name"],
        name=row["name"],
        togglable=True if admin or role == Role.PROJECT_ADMIN else None,
        current_user_role_id=role or 0,
        current_user_role_ids=[role] if role else [],
        repo_count=row["repo_count"],
        metadata={metadata.PUBLIC: "true" if row["public"] else "false", **row["metadata"]},
        creation_time=made,
        update_time=changed,
        cve_allowlist=Allowlist(project_id=row["id"], creation_time=made, update_time=changed),
    )
