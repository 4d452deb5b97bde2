"""Every kind of caller there is, each with what the permission table gives him, on a registry within this process."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection

from mooring.access import epoch
from mooring.access.permissions import TABLE, Permission, Role
from mooring.database import rows
from mooring.identity import robots, users
from mooring.identity.passwords import hash_password
from mooring.projects.tables import members, projects
from tests.http.site import ADMIN_PASSWORD, Headers, Site, basic, bearer

PASSWORD: Final = "Sailor-of-the-7-seas"
SECRET: Final = "Robots-secret-of-256-random-bits"
PROJECTS: Final = ("open", "closed", "missing")
DAY: Final = 86_400_000_000
LETTERS: Final = {
    Role.PROJECT_ADMIN: "A",
    Role.MAINTAINER: "M",
    Role.DEVELOPER: "D",
    Role.GUEST: "G",
    Role.LIMITED_GUEST: "L",
}
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = b"{}"
IMAGE: Final = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": f"sha256:{hashlib.sha256(CONFIG).hexdigest()}",
            "size": len(CONFIG),
        },
        "layers": [],
    }
).encode()

CREATE_PROJECT: Final = Permission("project", "create")

Pairs = frozenset[Permission]


@dataclass(frozen=True)
class Caller:
    """`columns` are his columns of the permission table by project; `given` what a robot was given by project."""

    name: str
    headers: Headers = ()
    account: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Pairs] = field(default_factory=dict)
    system: Pairs = frozenset()
    """What a robot was given outside of projects."""
    everything: bool = False
    broken: str = ""
    """The reason for which whatever he sends is refused."""
    token: bool = False
    within: frozenset[str] | None = None
    """The repository actions that his token was issued for; None stands for all that he may."""
    logged_in: bool = True

    def holds(self, project: str, permission: Permission) -> bool:
        """By the table's text alone: nothing of the program's own evaluation is used."""
        if project == "missing":
            return False
        columns = TABLE.get(permission, "")
        by_role = self.columns.get(project, "") != "" and self.columns[project] in columns
        by_all = project == "open" and "p" in columns
        by_gift = permission in TABLE and permission in self.given.get(project, frozenset())
        return by_role or by_all or by_gift or (self.everything and permission in TABLE)

    def holds_outside(self, permission: Permission) -> bool:
        """Outside of any project."""
        is_person = self.account != "" and not self.account.startswith("robot$")
        return permission in self.system or self.everything or (is_person and permission == CREATE_PROJECT)


def pairs(*texts: str) -> Pairs:
    return frozenset(Permission(*text.split(":")) for text in texts)


@dataclass(frozen=True)
class Stage:
    """A registry with a public, a private and another private project, one image in each, and everybody there is."""

    site: Site
    callers: Mapping[str, Caller]
    user_ids: Mapping[str, int]
    robot_ids: Mapping[str, int]
    project_ids: Mapping[str, int]


def set_stage(site: Site) -> Stage:
    project_ids = {name: add_project(site, name, public=name == "open") for name in ("open", "closed", "other")}
    user_ids = {name: add_user(site, name) for name in ("outsider", "neighbour", "disabled", "deleted")}
    for role, letter in LETTERS.items():
        name = f"role-{letter}"
        user_ids[name] = add_user(site, name)
        for project in ("open", "closed"):
            add_member(site, project_ids[project], user_ids[name], role)
    add_member(site, project_ids["other"], user_ids["neighbour"], Role.PROJECT_ADMIN)
    for name in ("disabled", "deleted"):
        add_member(site, project_ids["closed"], user_ids[name], Role.PROJECT_ADMIN)
    for project in project_ids:
        push_image(site, f"{project}/app")
    return Stage(site, *_people(site, user_ids, project_ids), project_ids)


def _people(
    site: Site, user_ids: dict[str, int], project_ids: Mapping[str, int]
) -> tuple[Mapping[str, Caller], Mapping[str, int], Mapping[str, int]]:
    of_project = pairs("repository:pull", "repository:push", "artifact:read", "tag:list", "robot:create")
    of_system = pairs("repository:pull", "repository:push", "repository:delete", "project:read", "project:delete")
    outside = pairs("project:create", "user:list", "robot:read")
    everywhere = dict.fromkeys(project_ids, of_system)
    robot_ids = {
        "robot$closed+builder": add_robot(site, "builder", {"closed": of_project}, project=("closed", project_ids)),
        "robot$closed+expired": add_robot(site, "expired", {"closed": of_project}, project=("closed", project_ids)),
        "robot$everywhere": add_robot(site, "everywhere", {"*": of_system}, system=outside),
    }
    in_both = {letter: {"open": letter, "closed": letter} for letter in LETTERS.values()}
    kinds: list[tuple[Caller, str]] = [
        (Caller("outsider", account="outsider"), PASSWORD),
        (Caller("neighbour", account="neighbour", columns={"other": "A"}), PASSWORD),
        *(
            (Caller(f"role-{letter}", account=f"role-{letter}", columns=columns), PASSWORD)
            for letter, columns in in_both.items()
        ),
        (Caller("admin", account="admin", everything=True), ADMIN_PASSWORD),
        (Caller("project-robot", account="robot$closed+builder", given={"closed": of_project}), SECRET),
        (Caller("system-robot", account="robot$everywhere", given=everywhere, system=outside), SECRET),
        (Caller("expired-robot", account="robot$closed+expired", broken="credentials_expired"), SECRET),
        (Caller("disabled", account="disabled", broken="disabled"), PASSWORD),
        (Caller("deleted", account="deleted", broken="revoked"), PASSWORD),
    ]
    callers = [
        Caller("nobody", logged_in=False),
        Caller("nobody-token", [bearer(site.token(scopes()))], token=True, logged_in=False),
        *(_with_password(caller, password) for caller, password in kinds),
        *(_with_token(site, caller, password) for caller, password in kinds),
        _narrow(site, "admin", ADMIN_PASSWORD, Caller("admin-to-pull", account="admin", everything=True)),
        _narrow(site, "role-A", PASSWORD, Caller("role-A-to-pull", columns=in_both["A"], account="role-A")),
        Caller("garbage", [bearer("garbage")], token=True, broken="malformed"),
        Caller("garbage-basic", [("authorization", "Basic !")], broken="malformed"),
        Caller("stranger", [basic("stranger", PASSWORD)], broken="bad_credentials"),
    ]
    _break(site, user_ids, robot_ids)
    return {caller.name: caller for caller in callers}, user_ids, robot_ids


def _with_password(caller: Caller, password: str) -> Caller:
    broken = "bad_credentials" if caller.broken == "revoked" else caller.broken
    return replace(caller, headers=[basic(caller.account, password)], broken=broken)


def _with_token(site: Site, caller: Caller, password: str) -> Caller:
    token = site.token([*scopes(), "registry:catalog:*"], [basic(caller.account, password)])
    return replace(caller, name=f"{caller.name}-token", headers=[bearer(token)], token=True)


def _narrow(site: Site, name: str, password: str, caller: Caller) -> Caller:
    token = site.token([f"repository:{project}/app:pull" for project in PROJECTS], [basic(name, password)])
    return replace(caller, headers=[bearer(token)], token=True, within=frozenset({"pull"}))


def _break(site: Site, user_ids: dict[str, int], robot_ids: Mapping[str, int]) -> None:
    """What happens to accounts after their tokens were issued."""

    def happen(connection: Connection) -> None:
        robots.change(connection, site.now, robot_ids["robot$closed+expired"], {"expires_at": site.now - 1})
        users.change(connection, site.now, user_ids["disabled"], {"disabled": True})
        users.remove(connection, user_ids.pop("deleted"))
        epoch.advance(connection)

    site.write(happen)


def scopes() -> list[str]:
    return [f"repository:{project}/app:pull,push,delete" for project in PROJECTS]


def add_user(site: Site, name: str, password: str = PASSWORD, **values: Any) -> int:
    return site.write(
        users.create,
        site.now,
        username=name,
        password_hash=_hashed(password),
        email=f"{name}@example.com",
        **values,
    )


@cache
def _hashed(password: str) -> str:
    return hash_password(password)


def add_project(site: Site, name: str, *, public: bool = False) -> int:
    row = {
        "name": name,
        "public": public,
        "owner_name": "admin",
        "metadata": {},
        "created_at": site.now,
        "updated_at": site.now,
    }
    return site.write(lambda connection: _touching(connection, rows.add(connection, projects, row)))


def add_member(site: Site, project_id: int, user_id: int, role: Role) -> int:
    row = {
        "project_id": project_id,
        "user_id": user_id,
        "role_id": int(role),
        "created_at": site.now,
        "updated_at": site.now,
    }
    return site.write(lambda connection: _touching(connection, rows.add(connection, members, row)))


def add_robot(
    site: Site,
    name: str,
    given: Mapping[str, Iterable[Permission]],
    *,
    project: tuple[str, Mapping[str, int]] | None = None,
    system: Iterable[Permission] = (),
    days: int = -1,
) -> int:
    permissions = [
        {"kind": "project", "namespace": namespace, "access": [item._asdict() for item in sorted(access)]}
        for namespace, access in given.items()
    ]
    if system:
        access = [item._asdict() for item in sorted(system)]
        permissions.append({"kind": "system", "namespace": "/", "access": access})
    return site.write(
        robots.create,
        site.now,
        name=name,
        secret=SECRET,
        duration_days=days,
        permissions=permissions,
        creator="user:1",
        project=(project[1][project[0]], project[0]) if project else None,
    )


def _touching(connection: Connection, made: int) -> int:
    epoch.advance(connection)
    return made


def push_blob(site: Site, repository: str, content: bytes, headers: Headers = ()) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    sent = headers or [basic("admin", ADMIN_PASSWORD)]
    reply = site.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", sent, content)
    assert reply.status == 201, reply
    return digest


def push_image(site: Site, repository: str, tag: str = "latest") -> str:
    """An image of one configuration and no layer; answers its digest."""
    push_blob(site, repository, CONFIG)
    sent = [basic("admin", ADMIN_PASSWORD), ("content-type", MANIFEST)]
    reply = site.ask("PUT", f"/v2/{repository}/manifests/{tag}", sent, IMAGE)
    assert reply.status == 201, reply
    return reply.header("docker-content-digest") or ""
