"""People's accounts."""

from typing import Annotated, ClassVar

from fastapi import Depends, Path, Query, Request, Response
from sqlalchemy import RowMapping

from mooring.access.permissions import Permission
from mooring.api import routing
from mooring.api.access import Login, OwnAccount, System
from mooring.api.answers import created
from mooring.api.fields import LARGEST, Body, Line, Note, Secret, Shape, named
from mooring.api.paging import Paged, Whole
from mooring.api.visit import Visit
from mooring.cluster.clock import rfc3339
from mooring.database.selection import Fuzzy
from mooring.errors import Invalid, PreconditionFailed
from mooring.identity import accounts, users
from mooring.observe.audit.log import Naming
from mooring.refusals import Reason, Refused

CREATE, READ, LIST, UPDATE, DELETE = (
    Permission("user", action) for action in ("create", "read", "list", "update", "delete")
)

UserId = Annotated[int, Path(ge=1, le=LARGEST)]

router = routing.router("user", "/users")


class User(Shape):
    user_id: int
    username: str
    email: str
    realname: str
    comment: str
    sysadmin_flag: bool
    admin_role_in_auth: bool = False
    creation_time: str
    update_time: str


class FoundUser(Shape):
    user_id: int
    username: str


class NewUser(Body):
    # Nobody becomes an administrator by being made: there is a route for that (CVE-2019-16097).
    dropped: ClassVar[frozenset[str]] = named(
        "user_id sysadmin_flag has_admin_role admin_role_in_auth role_id role_name deleted location salt Salt "
        "reset_uuid creation_time update_time oidc_user_meta new_password secret"
    )

    username: Line
    password: Secret
    email: Line | None = None
    realname: Line | None = None
    comment: Note | None = None


class Profile(Body):
    dropped: ClassVar[frozenset[str]] = NewUser.dropped | {"username", "password"}

    email: Line | None = None
    realname: Line | None = None
    comment: Note | None = None


class NewPassword(Body):
    dropped: ClassVar[frozenset[str]] = frozenset({"user_id", "username", "password", "email", "realname", "comment"})

    new_password: Secret
    old_password: Secret | None = None


class AdminFlag(Body):
    dropped: ClassVar[frozenset[str]] = (NewUser.dropped - {"sysadmin_flag"}) | {"username", "email", "realname"}

    sysadmin_flag: bool


@router.get("")
async def list_users(
    listing: Whole,
    visit: Annotated[Visit, Depends(System(LIST))],
    username: Annotated[Line | None, Query()] = None,
    email: Annotated[Line | None, Query()] = None,
) -> list[User]:
    selected = listing.selected
    for name, value in (("username", username), ("email", email)):
        selected = selected.with_test(name, Fuzzy(value)) if value else selected
    return listing.answer(await visit.parts.database.read(users.page, selected), _shape)


@router.post("", status_code=201, response_class=Response)
async def create_user(request: Request, user: NewUser, visit: Annotated[Visit, Depends(System(CREATE))]) -> Response:
    parts = visit.parts
    user_id = await parts.database.write(
        visit.noted("create", "user", user.username, users.create),
        parts.clock.now(),
        username=user.username,
        password_hash=await parts.passwords.hash(accounts.require_strong(user.password)),
        email=user.email or None,
        realname=user.realname or "",
        comment=user.comment or "",
    )
    return created(request, user_id)


@router.get("/search")
async def search_users(
    listing: Paged, username: Annotated[Line, Query()], visit: Annotated[Visit, Depends(Login())]
) -> list[FoundUser]:
    selected = listing.selected.with_test("username", Fuzzy(username))
    page = await visit.parts.database.read(users.page, selected)
    return listing.answer(page, lambda row: FoundUser(user_id=row["id"], username=row["username"]))


@router.get("/current")
async def current_user(visit: Annotated[Visit, Depends(Login())]) -> User:
    kind, _, number = visit.subject.partition(":")
    if kind != "user":
        raise PreconditionFailed("A robot is no user.")
    return _shape(await visit.parts.database.read(users.by_id, int(number)))


@router.get("/{user_id}")
async def get_user(user_id: UserId, visit: Annotated[Visit, Depends(OwnAccount(READ))]) -> User:
    return _shape(await visit.parts.database.read(users.by_id, user_id))


@router.put("/{user_id}", response_class=Response)
async def update_user(
    user_id: UserId, profile: Profile, visit: Annotated[Visit, Depends(OwnAccount(UPDATE))]
) -> Response:
    given = profile.model_dump(exclude_none=True)
    if given.get("email") == "":
        given["email"] = None
    change = visit.noted("update", "user", _named(user_id), accounts.set_profile)
    by_admin = _may_touch_admins(visit, user_id)
    await visit.parts.database.write(change, visit.parts.clock.now(), user_id, given, by_admin=by_admin)
    return Response()


@router.delete("/{user_id}", response_class=Response)
async def delete_user(user_id: UserId, visit: Annotated[Visit, Depends(System(DELETE))]) -> Response:
    if visit.subject == f"user:{user_id}":
        raise Refused(Reason.NO_PERMISSION, "Nobody can delete himself.")
    remove = visit.noted("delete", "user", _named(user_id), accounts.remove)
    await visit.parts.database.write(remove, user_id, by_admin=visit.standing.system_admin)
    return Response()


@router.put("/{user_id}/sysadmin", response_class=Response)
async def set_admin(user_id: UserId, flag: AdminFlag, visit: Annotated[Visit, Depends(System(UPDATE))]) -> Response:
    if not visit.standing.system_admin:
        # A robot that manages users could make itself one otherwise.
        raise Refused(Reason.NO_PERMISSION, "Only a system administrator makes another one.")
    told = "system administrator" if flag.sysadmin_flag else "no system administrator"
    change = visit.noted("update", "user", _named(user_id), accounts.set_admin, told)
    await visit.parts.database.write(change, visit.parts.clock.now(), user_id, flag.sysadmin_flag)
    return Response()


@router.put("/{user_id}/password", response_class=Response)
async def set_password(
    user_id: UserId, password: NewPassword, visit: Annotated[Visit, Depends(OwnAccount(UPDATE))]
) -> Response:
    """Who changes his own gives the old one too."""
    parts = visit.parts
    known = await parts.database.read(users.by_id, user_id)
    own = visit.subject == f"user:{user_id}"
    if own and not await parts.passwords.matches(password.old_password or "", known["password_hash"]):
        raise Refused(Reason.NO_PERMISSION, "The old password is not right.")
    accounts.require_strong(password.new_password)
    if await parts.passwords.matches(password.new_password, known["password_hash"]):
        raise Invalid("The new password is the old one.")
    hashed = await parts.passwords.hash(password.new_password)
    change = visit.noted("update", "user", _named(user_id), accounts.set_password, "a new password")
    by_admin = _may_touch_admins(visit, user_id)
    await parts.database.write(change, parts.clock.now(), user_id, hashed, by_admin=by_admin)
    return Response()


def _may_touch_admins(visit: Visit, user_id: int) -> bool:
    return visit.standing.system_admin or visit.subject == f"user:{user_id}"


def _named(user_id: int) -> Naming:
    return lambda connection: str(users.by_id(connection, user_id)["username"])


def _shape(row: RowMapping) -> User:
    return User(
        user_id=row["id"],
        username=row["username"],
        email=row["email"] or "",
        realname=row["realname"],
        comment=row["comment"],
        sysadmin_flag=row["system_admin"],
        creation_time=rfc3339(row["created_at"]),
        update_time=rfc3339(row["updated_at"]),
    )
