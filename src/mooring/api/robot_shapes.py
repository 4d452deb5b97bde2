"""Robot accounts in bodies and answers, as in Harbor; its older shape for a project's robots too."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from sqlalchemy import RowMapping

from mooring.api.fields import Body, Line, Note, Number, Secret, Shape, named
from mooring.cluster.clock import SECOND, rfc3339
from mooring.errors import Invalid
from mooring.identity.robots import PREFIX
from mooring.projects.robots import MOST_ENTRIES, Entry

DAY_SECONDS = 86_400
FOR_EVER = -1
READ_ONLY = named("id secret editable expires_at creator_type creator_ref creation_time update_time deleted project_id")
_IN_PROJECT = re.compile(r"/project/[^/]+/(.+)")

Level = Literal["system", "project"]


class AccessEntry(Body):
    resource: Line
    action: Line
    effect: Literal["", "allow"] | None = None


class PermissionEntry(Body):
    dropped: ClassVar[frozenset[str]] = frozenset({"scope"})

    kind: Line
    namespace: Line
    access: Annotated[list[AccessEntry], Field(max_length=200)]

    def kept(self) -> Entry:
        access = [{"resource": each.resource, "action": each.action} for each in self.access]
        return {"kind": self.kind, "namespace": self.namespace, "access": access}


Permissions = Annotated[list[PermissionEntry], Field(max_length=MOST_ENTRIES)]


class NewRobot(Body):
    dropped: ClassVar[frozenset[str]] = READ_ONLY

    name: Line
    level: Level
    duration: Number
    permissions: Permissions
    description: Note | None = None
    disable: bool | None = None


class NewProjectRobot(Body):
    """`access` and `expires_at` are how Harbor up to 2.15 asked here."""

    dropped: ClassVar[frozenset[str]] = (READ_ONLY | {"level"}) - {"expires_at"}

    name: Line
    description: Note | None = None
    disable: bool | None = None
    duration: Number | None = None
    expires_at: Number | None = None
    permissions: Permissions | None = None
    access: Annotated[list[AccessEntry], Field(max_length=200)] | None = None

    def as_new_robot(self, project: str, now_seconds: int) -> NewRobot:
        entries = self.permissions or [
            PermissionEntry(
                kind="project",
                namespace=project,
                access=[
                    AccessEntry(resource=_IN_PROJECT.sub(r"\1", each.resource), action=each.action)
                    for each in self.access or []
                ],
            )
        ]
        return NewRobot(
            name=self.name,
            level="project",
            duration=self._days(now_seconds),
            permissions=entries,
            description=self.description,
            disable=self.disable,
        )

    def _days(self, now_seconds: int) -> int:
        if self.duration is not None:
            return self.duration
        if self.expires_at is None or self.expires_at == FOR_EVER:
            return FOR_EVER
        return -(-(self.expires_at - now_seconds) // DAY_SECONDS)


class ChangedRobot(Body):
    dropped: ClassVar[frozenset[str]] = READ_ONLY

    name: Line | None = None
    level: Level | None = None
    duration: Number | None = None
    permissions: Permissions | None = None
    description: Note | None = None
    disable: bool | None = None

    def require_same(self, known: RowMapping) -> None:
        """A robot keeps its name and level. Raises Invalid."""
        names = {known["name"], str(known["name"]).removeprefix(PREFIX), str(known["name"]).rpartition("+")[2]}
        if (self.name or known["name"]) not in names or (self.level or level_of(known)) != level_of(known):
            raise Invalid("A robot keeps its name and its level.")


class NewSecret(Body):
    secret: Secret = ""


class RobotMade(Shape):
    id: int
    name: str
    secret: str
    creation_time: str
    expires_at: int


class GivenAccess(Shape):
    resource: str
    action: str
    effect: str = "allow"


class GivenPermission(Shape):
    kind: str
    namespace: str
    access: list[GivenAccess]


class Robot(Shape):
    id: int
    name: str
    description: str
    level: Level
    duration: int
    editable: bool = True
    disable: bool
    expires_at: int
    permissions: list[GivenPermission]
    creator_type: str
    creator_ref: int
    creation_time: str
    update_time: str


def level_of(row: RowMapping) -> Level:
    return "system" if row["project_id"] is None else "project"


def shape(row: RowMapping) -> Robot:
    kind, _, number = str(row["creator"]).partition(":")
    return Robot(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        level=level_of(row),
        duration=row["duration_days"],
        disable=row["disabled"],
        expires_at=_expiry(row),
        permissions=[GivenPermission.model_validate(entry) for entry in row["permissions"]],
        creator_type="robot" if kind == "robot" else "local",
        creator_ref=int(number),
        creation_time=rfc3339(row["created_at"]),
        update_time=rfc3339(row["updated_at"]),
    )


def made(row: RowMapping, secret: str) -> RobotMade:
    return RobotMade(
        id=row["id"],
        name=row["name"],
        secret=secret,
        creation_time=rfc3339(row["created_at"]),
        expires_at=_expiry(row),
    )


def _expiry(row: RowMapping) -> int:
    """Seconds since the Unix epoch."""
    return FOR_EVER if row["expires_at"] is None else int(row["expires_at"]) // SECOND
