"""A small client of the management API, with Harbor's paths and shapes."""

import json
import secrets
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from enum import IntEnum
from typing import Any, Final
from urllib.parse import quote, urlencode

from tests.images import INDEX, MANIFEST

PASSWORD: Final = "Sailor-of-the-7-seas"

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Role(IntEnum):
    """Harbor's role ids."""

    PROJECT_ADMIN = 1
    DEVELOPER = 2
    GUEST = 3
    MAINTAINER = 4
    LIMITED_GUEST = 5


class ApiError(Exception):
    def __init__(self, method: str, path: str, answer: "Answer") -> None:
        super().__init__(f"{method} {path}: {answer.status} {answer.body.decode(errors='replace')}")
        self.answer = answer
        self.status = answer.status


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class User:
    name: str
    password: str


@dataclass(frozen=True)
class Robot:
    """A robot account. `name` is the one it logs in with, prefix and project included."""

    id: int
    name: str
    password: str


@dataclass(frozen=True)
class Api:
    """The API as one user sees it."""

    url: str
    username: str
    password: str

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return the answer, whatever its status. `path` starts at the host."""
        credentials = b64encode(f"{self.username}:{self.password}".encode()).decode()
        sent = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        address = self.url + path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, sent, method=method)
        try:
            with _direct.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.headers, refusal.read())

    def call(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, str | int] | None = None
    ) -> Answer:
        """Send one request under `/api/v2.0`. Raises ApiError for a status of 400 or more."""
        answer = self.request(method, f"/api/v2.0{path}", body, query=query)
        if answer.status >= 400:
            raise ApiError(method, path, answer)
        return answer

    def as_user(self, user: User | Robot) -> "Api":
        return Api(self.url, user.name, user.password)

    def create_user(self, prefix: str = "user", password: str = PASSWORD) -> User:
        name = unique(prefix)
        body = {"username": name, "password": password, "email": f"{name}@example.com", "realname": name}
        self.call("POST", "/users", body)
        return User(name, password)

    def create_project(self, prefix: str = "project", *, public: bool = False) -> str:
        name = unique(prefix)
        body = {"project_name": name, "metadata": {"public": "true" if public else "false"}}
        self.call("POST", "/projects", body)
        return name

    def add_member(self, project: str, user: User, role: Role) -> None:
        body = {"role_id": int(role), "member_user": {"username": user.name}}
        self.call("POST", f"/projects/{project}/members", body)

    def create_robot(
        self,
        project: str,
        actions: Iterable[str] = ("pull", "push"),
        *,
        days: int = -1,
        prefix: str = "robot",
    ) -> Robot:
        """Create a robot of one project, allowed `actions` on its repositories. -1 days is for ever."""
        access = [{"resource": "repository", "action": action} for action in actions]
        permission = {"kind": "project", "namespace": project, "access": access}
        body = {"name": unique(prefix), "level": "project", "duration": days, "permissions": [permission]}
        answer = self.call("POST", "/robots", body).json
        return Robot(answer["id"], answer["name"], answer["secret"])

    def disable_robot(self, robot: Robot) -> None:
        body = self.call("GET", f"/robots/{robot.id}").json
        names = ("name", "description", "level", "duration", "permissions")
        self.call("PUT", f"/robots/{robot.id}", {name: body[name] for name in names} | {"disable": True})

    def delete_robot(self, robot: Robot) -> None:
        self.call("DELETE", f"/robots/{robot.id}")

    def artifact(self, repository: str, reference: str) -> dict[str, Any]:
        """What the API says about an artifact of `project/path`, by tag or digest."""
        found: dict[str, Any] = self.call("GET", f"{artifacts(repository)}/{reference}").json
        return found

    def delete_artifact(self, repository: str, reference: str) -> None:
        self.call("DELETE", f"{artifacts(repository)}/{reference}")

    def manifest(self, repository: str, reference: str) -> Answer:
        """A manifest from the registry API itself, of any type that clients push."""
        accepted = ", ".join((*MANIFEST.values(), *INDEX.values()))
        return self.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": accepted})


def artifacts(repository: str) -> str:
    """The path of a repository's artifacts: a slash within its name is encoded twice, as in Harbor."""
    project, _, name = repository.partition("/")
    return f"/projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}/artifacts"


def unique(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(4)}"
