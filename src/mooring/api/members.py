"""Members of projects: people with a role. Groups come with directories, which are not there yet."""

from typing import Annotated, Any, ClassVar

from fastapi import Depends, Path, Query, Request, Response
from sqlalchemy import RowMapping

from mooring.access.permissions import Permission, Role
from mooring.api import routing
from mooring.api.access import InProject
from mooring.api.answers import created
from mooring.api.fields import LARGEST, Body, Id, Line, Shape
from mooring.api.paging import Paged
from mooring.api.visit import Visit
from mooring.database.selection import Fuzzy
from mooring.errors import Invalid
from mooring.observe.audit.log import Naming
from mooring.projects import members

CREATE, READ, LIST, UPDATE, DELETE = (
    Permission("member", action) for action in ("create", "read", "list", "update", "delete")
)

MemberId = Annotated[int, Path(ge=1, le=LARGEST)]

MEMBER = "project_member"

router = routing.router("member", "/projects/{project_name_or_id}/members")


class Member(Shape):
    id: int
    project_id: int
    entity_name: str
    entity_id: int
    entity_type: str = "u"
    role_name: str
    role_id: int


class MemberUser(Body):
    user_id: Id | None = None
    username: Line | None = None


class NewMember(Body):
    dropped: ClassVar[frozenset[str]] = frozenset({"id"})

    role_id: Role
    member_user: MemberUser | None = None
    member_group: dict[str, Any] | None = None

    def user(self) -> int | str:
        """Raises Invalid."""
        if self.member_group and any(self.member_group.values()):
            raise Invalid("This version of Mooring has no groups yet. Give a member_user.")
        named = self.member_user or MemberUser()
        if named.user_id is None and not named.username:
            raise Invalid("Give the member_user's username or user_id.")
        return named.user_id if named.user_id is not None else named.username or ""


class NewRole(Body):
    dropped: ClassVar[frozenset[str]] = frozenset(
        {"id", "project_id", "entity_name", "entity_id", "entity_type", "role_name", "member_user", "member_group"}
    )

    role_id: Role


@router.get("")
async def list_members(
    listing: Paged,
    visit: Annotated[Visit, Depends(InProject(LIST))],
    entityname: Annotated[Line | None, Query()] = None,
) -> list[Member]:
    selected = listing.selected.with_test("entity_name", Fuzzy(entityname)) if entityname else listing.selected
    return listing.answer(await visit.parts.database.read(members.page, visit.project_id, selected), _shape)


@router.post("", status_code=201, response_class=Response)
async def add_member(
    request: Request, member: NewMember, visit: Annotated[Visit, Depends(InProject(CREATE))]
) -> Response:
    member_id = await visit.parts.database.write(
        visit.noted("create", MEMBER, str(member.user()), members.add, member.role_id.harbor_name),
        visit.parts.clock.now(),
        visit.project_id,
        member.user(),
        member.role_id,
        visit.standing.permissions,
    )
    return created(request, member_id)


@router.get("/{mid}")
async def get_member(mid: MemberId, visit: Annotated[Visit, Depends(InProject(READ))]) -> Member:
    return _shape(await visit.parts.database.read(members.find, visit.project_id, mid))


@router.put("/{mid}", response_class=Response)
async def set_role(mid: MemberId, role: NewRole, visit: Annotated[Visit, Depends(InProject(UPDATE))]) -> Response:
    now, held = visit.parts.clock.now(), visit.standing.permissions
    change = visit.noted("update", MEMBER, _named(visit, mid), members.change, role.role_id.harbor_name)
    await visit.parts.database.write(change, now, visit.project_id, mid, role.role_id, held)
    return Response()


@router.delete("/{mid}", response_class=Response)
async def remove_member(mid: MemberId, visit: Annotated[Visit, Depends(InProject(DELETE))]) -> Response:
    remove = visit.noted("delete", MEMBER, _named(visit, mid), members.remove)
    await visit.parts.database.write(remove, visit.project_id, mid, visit.standing.permissions)
    return Response()


def _named(visit: Visit, member_id: int) -> Naming:
    return lambda connection: str(members.find(connection, visit.project_id, member_id)["username"])


def _shape(row: RowMapping) -> Member:
    return Member(
        id=row["id"],
        project_id=row["project_id"],
        entity_name=row["username"],
        entity_id=row["user_id"],
        role_name=Role(row["role_id"]).harbor_name,
        role_id=row["role_id"],
    )
