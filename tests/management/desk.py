"""The management API of a registry within this process, as one caller sees it."""

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.http.site import ADMIN_PASSWORD, Headers, Reply, Site, basic

PREFIX: Final = "/api/v2.0"
PASSWORD: Final = "Sailor-of-the-7-seas"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Desk:
    site: Site
    headers: Headers = ()

    def ask(self, method: str, path: str, body: object = None, query: str = "") -> Reply:
        sent = b"" if body is None else json.dumps(body).encode()
        return self.site.ask(method, PREFIX + path, [*self.headers, ("content-type", "application/json")], sent, query)

    def get(self, path: str, query: str = "") -> Any:
        reply = self.ask("GET", path, query=query)
        assert reply.status == 200, reply
        return reply.json

    def make(self, path: str, body: object) -> int:
        """The id of what was made."""
        reply = self.ask("POST", path, body)
        assert reply.status == 201, reply
        return int((reply.header("location") or "").rpartition("/")[2])

    def put(self, path: str, body: object) -> None:
        reply = self.ask("PUT", path, body)
        assert reply.status == 200, reply

    def delete(self, path: str) -> None:
        reply = self.ask("DELETE", path)
        assert reply.status == 200, reply

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """As `pushing` wants it."""
        path, _, query = path.partition("?")
        return self.site.ask(method, path, [*self.headers, *headers.items()], body, query).status


def chief(site: Site) -> Desk:
    return Desk(site, [basic("admin", ADMIN_PASSWORD)])


def somebody(site: Site, name: str, password: str = PASSWORD) -> Desk:
    return Desk(site, [basic(name, password)])


def unique(prefix: str) -> str:
    return f"{prefix}-{next(_numbers)}"


def make_user(site: Site, prefix: str = "user", fields: Mapping[str, Any] = {}) -> tuple[int, str]:
    name = unique(prefix)
    body = {"username": name, "password": PASSWORD, "email": f"{name}@example.com", "realname": name, **fields}
    return chief(site).make("/users", body), name


def make_project(site: Site, prefix: str = "project", *, public: bool = False, members: Mapping[str, int] = {}) -> str:
    """`members` are roles by name."""
    name = unique(prefix)
    chief(site).make("/projects", {"project_name": name, "metadata": {"public": str(public).lower()}})
    for member, role in members.items():
        chief(site).make(f"/projects/{name}/members", {"role_id": role, "member_user": {"username": member}})
    return name


def entry(namespace: str, *permissions: str) -> dict[str, Any]:
    """An entry of a robot's permissions, of pairs such as `repository:pull`; the system's for `/`."""
    access = [dict(zip(("resource", "action"), pair.split(":"), strict=True)) for pair in permissions]
    return {"kind": "system" if namespace == "/" else "project", "namespace": namespace, "access": access}


def robot_body(level: str, entries: Iterable[Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"name": unique("robot"), "level": level, "duration": -1, "permissions": list(entries), **fields}


def make_robot(desk: Desk, level: str, *entries: Mapping[str, Any]) -> tuple[int, Desk]:
    """The robot, and the API as it sees it."""
    reply = desk.ask("POST", "/robots", robot_body(level, entries))
    assert reply.status == 201, reply
    made = reply.json
    return made["id"], somebody(desk.site, made["name"], made["secret"])
