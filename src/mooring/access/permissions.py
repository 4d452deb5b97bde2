"""The one permission table: which role may do which action on which resource.

Roles, resources and actions are Harbor's (src/common/rbac/project/rbac_role.go), so that its tools and robots keep
their meaning. Nothing that is not in this table is allowed.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple


class Permission(NamedTuple):
    resource: str
    action: str

    def __str__(self) -> str:
        return f"{self.resource}:{self.action}"


class Role(IntEnum):
    """Numbered as in Harbor's API."""

    PROJECT_ADMIN = 1
    DEVELOPER = 2
    GUEST = 3
    MAINTAINER = 4
    LIMITED_GUEST = 5

    @property
    def harbor_name(self) -> str:
        return _HARBOR_NAMES[self]


_HARBOR_NAMES = {
    Role.PROJECT_ADMIN: "projectAdmin",
    Role.DEVELOPER: "developer",
    Role.GUEST: "guest",
    Role.MAINTAINER: "maintainer",
    Role.LIMITED_GUEST: "limitedGuest",
}

_COLUMNS = {
    "A": Role.PROJECT_ADMIN,
    "M": Role.MAINTAINER,
    "D": Role.DEVELOPER,
    "G": Role.GUEST,
    "L": Role.LIMITED_GUEST,
    "p": None,
}

PUBLIC = None
"""The column `p`: anybody, logged in or not, on a public project."""

TABLE: Mapping[Permission, str] = {
    Permission(*row.split()[:2]): row.split()[2]
    for row in """
        project            read      AMDGLp
        project            update    A
        project            delete    A
        member             create    A
        member             read      AMDG
        member             list      AMDG
        member             update    A
        member             delete    A
        metadata           create    A
        metadata           read      AM
        metadata           list      AM
        metadata           update    A
        metadata           delete    A
        log                list      A
        denial             list      A
        quota              read      AMDGL
        repository         create    AMD
        repository         read      AMDGLp
        repository         list      AMDGLp
        repository         update    AMD
        repository         delete    AM
        repository         pull      AMDGLp
        repository         push      AMD
        artifact           create    AMD
        artifact           read      AMDGLp
        artifact           list      AMDGLp
        artifact           delete    AM
        artifact-addition  read      AMDGLp
        accessory          list      AMDGLp
        tag                create    AMD
        tag                list      AMDGLp
        tag                delete    AM
        robot              create    A
        robot              read      AMDG
        robot              list      AMDG
        robot              update    A
        robot              delete    A
    """.strip().splitlines()
}

SYSTEM: frozenset[Permission] = frozenset(
    Permission(*row.split())
    for row in """
        project create
        project list
        robot   create
        robot   read
        robot   list
        robot   update
        robot   delete
        user    create
        user    read
        user    list
        user    update
        user    delete
        catalog read
        cluster read
        denial  list
        audit-log list
    """.strip().splitlines()
)
"""What the system administrator may do beside everything in every project; robots of the system may be given these."""

EVERY_USER: frozenset[Permission] = frozenset({Permission("project", "create")})
"""What each person may do outside of projects, as in Harbor where project creation is not restricted."""

EVERYTHING: frozenset[Permission] = frozenset(TABLE)


def _column(letter: str) -> frozenset[Permission]:
    return frozenset(permission for permission, roles in TABLE.items() if letter in roles)


ROLES: Mapping[Role | None, frozenset[Permission]] = {role: _column(letter) for letter, role in _COLUMNS.items()}

PULL = Permission("repository", "pull")
PUSH = Permission("repository", "push")
DELETE = Permission("repository", "delete")

SCOPE_ACTIONS: Mapping[str, Permission] = {"pull": PULL, "push": PUSH, "delete": DELETE}
"""The actions of a token's `repository` scope."""
