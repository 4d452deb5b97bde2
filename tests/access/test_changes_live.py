"""Invariant 4: what was taken away is refused by every worker within 2 seconds; what was given is there at once."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.api import Api, Robot, Role, User
from tests.http.site import Headers, Reply, basic, bearer
from tests.http.wire import Line, ask, lines
from tests.registry.wire import request
from tests.server import Server

INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
INDEX: Final = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}).encode()
SECONDS: Final = 2.0
"""Of invariant 4."""


@dataclass
class Case:
    """Somebody with a token and a password, who does one thing again and again on every worker."""

    server: Server
    admin: Api
    everywhere: Sequence[Line]
    project: str
    headers: dict[str, Headers] = field(default_factory=dict)
    action: str = "pull"

    def member(self, role: Role | None, action: str = "pull") -> User:
        user = self.admin.create_user("mover")
        if role is not None:
            self.admin.add_member(self.project, user, role)
        self.will(basic(user.name, user.password), action)
        return user

    def robot(self, action: str = "pull") -> Robot:
        robot = self.admin.create_robot(self.project, ["pull", "push"])
        self.will(basic(robot.name, robot.password), action)
        return robot

    def will(self, credentials: tuple[str, str] | None, action: str) -> None:
        self.action = action
        self.headers = {"password": [credentials]} if credentials else {"nothing": []}
        # All that he could ever ask for: what he may at the moment of use is then what decides.
        self.headers["token"] = [bearer(self.token([credentials] if credentials else []))]

    def token(self, headers: Headers) -> str:
        scope = f"repository:{self.project}/app:pull,push,delete"
        return str(ask(self.server.url, "GET", f"/service/token?scope={scope}", headers).json["token"])

    def do(self, line: Line, how: str) -> Reply:
        method, path = {
            # One that is there: what is answered the shorter way must notice as soon.
            "pull": ("GET", f"/v2/{self.project}/app/manifests/latest"),
            "push": ("POST", f"/v2/{self.project}/app/blobs/uploads/"),
        }[self.action]
        return line.ask(method, path, self.headers[how])

    def refusals(self, hows: Sequence[str]) -> list[str]:
        """Of each worker and each way to come; empty for one that let him through."""
        return [self.do(line, how).reason for line in self.everywhere for how in hows]

    def member_path(self, user: User) -> str:
        found = self.admin.call("GET", f"/projects/{self.project}/members").json
        number = next(item["id"] for item in found if item["entity_name"] == user.name)
        return f"/projects/{self.project}/members/{number}"

    def user_path(self, user: User) -> str:
        (found,) = self.admin.call("GET", "/users/search", query={"username": user.name}).json
        return f"/users/{found['user_id']}"

    def set_public(self, public: bool) -> None:
        self.admin.call("PUT", f"/projects/{self.project}", {"metadata": {"public": str(public).lower()}})

    def command(self, *words: str) -> None:
        command = [sys.executable, "-m", "mooring", "user", *words, "--data", str(self.server.data)]
        subprocess.run(command, check=True, timeout=60, capture_output=True)

    def change_robot(self, robot: Robot, **changes: object) -> None:
        body = self.admin.call("GET", f"/robots/{robot.id}").json
        names = ("name", "description", "level", "duration", "permissions", "disable")
        self.admin.call("PUT", f"/robots/{robot.id}", {name: body[name] for name in names} | changes)


@pytest.fixture(scope="module")
def everywhere(server: Server) -> Iterator[Sequence[Line]]:
    with lines(server.url, 2) as found:
        yield found


@pytest.fixture
def case(server: Server, admin: Api, everywhere: Sequence[Line]) -> Case:
    project = admin.create_project("changes")
    put = request(server, "PUT", f"/v2/{project}/app/manifests/latest", INDEX, f"Content-Type: {INDEX_TYPE}")
    assert put.status == 201
    return Case(server, admin, everywhere, project)


Change = Callable[[], object]
Prepare = Callable[[Case], Change]


def remove_member(case: Case) -> Change:
    path = case.member_path(case.member(Role.GUEST))
    return lambda: case.admin.call("DELETE", path)


def lower_role(case: Case) -> Change:
    path = case.member_path(case.member(Role.DEVELOPER, "push"))
    return lambda: case.admin.call("PUT", path, {"role_id": int(Role.GUEST)})


def delete_user(case: Case) -> Change:
    path = case.user_path(case.member(Role.GUEST))
    return lambda: case.admin.call("DELETE", path)


def disable_user(case: Case) -> Change:
    user = case.member(Role.GUEST)
    return lambda: case.command("disable", user.name)


def take_admin(case: Case) -> Change:
    user = case.admin.create_user("mover")
    path = case.user_path(user) + "/sysadmin"
    case.admin.call("PUT", path, {"sysadmin_flag": True})
    case.will(basic(user.name, user.password), "push")
    return lambda: case.admin.call("PUT", path, {"sysadmin_flag": False})


def make_private(case: Case) -> Change:
    case.set_public(True)
    case.will(None, "pull")
    return lambda: case.set_public(False)


def delete_project(case: Case) -> Change:
    case.member(Role.PROJECT_ADMIN)
    # A project that holds something is not deleted.
    case.admin.call("DELETE", f"/projects/{case.project}/repositories/app")
    return lambda: case.admin.call("DELETE", f"/projects/{case.project}")


def disable_robot(case: Case) -> Change:
    robot = case.robot()
    return lambda: case.admin.disable_robot(robot)


def delete_robot(case: Case) -> Change:
    robot = case.robot()
    return lambda: case.admin.delete_robot(robot)


def cut_robot(case: Case) -> Change:
    robot = case.robot("push")
    access = [{"resource": "repository", "action": "pull"}]
    permissions = [{"kind": "project", "namespace": case.project, "access": access}]
    return lambda: case.change_robot(robot, permissions=permissions)


TAKEN: Final[dict[str, tuple[str, Prepare]]] = {
    "member removed": ("no_permission", remove_member),
    "role lowered": ("no_permission", lower_role),
    "user deleted": ("revoked", delete_user),
    "user disabled": ("disabled", disable_user),
    "administrator no more": ("no_permission", take_admin),
    "project made private": ("authentication_required", make_private),
    "project deleted": ("no_permission", delete_project),
    "robot disabled": ("disabled", disable_robot),
    "robot deleted": ("revoked", delete_robot),
    "robot cut down": ("no_permission", cut_robot),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_is_refused_everywhere_within_two_seconds(case: Case, name: str) -> None:
    reason, prepare = TAKEN[name]
    change = prepare(case)
    hows = list(case.headers)
    for _ in range(2):
        assert case.refusals(hows) == [""] * (2 * len(hows))  # and each worker now remembers that he may
    change()
    end = time.monotonic() + SECONDS
    # Not by the password: a wrong one waits a little longer each time.
    while time.monotonic() < end and not all(case.refusals([how for how in hows if how != "password"])):
        time.sleep(0.02)
    wanted = {"token": reason, "nothing": reason, "password": "bad_credentials" if reason == "revoked" else reason}
    for _ in range(2):
        assert case.refusals(hows) == [wanted[how] for how in hows] * 2


def test_an_old_password_and_an_old_secret_are_refused_at_once(case: Case) -> None:
    user, robot = case.member(Role.GUEST), case.admin.create_robot(case.project)
    old = {"user": basic(user.name, user.password), "robot": basic(robot.name, robot.password)}
    case.headers = {how: [credentials] for how, credentials in old.items()}
    assert case.refusals(["user", "robot"]) == [""] * 4
    new = "Another-password-1"
    case.admin.call("PUT", f"{case.user_path(user)}/password", {"new_password": new})
    case.admin.call("PATCH", f"/robots/{robot.id}", {"secret": new})
    assert case.refusals(["user", "robot"]) == ["bad_credentials"] * 4
    case.headers = {"user": [basic(user.name, new)], "robot": [basic(robot.name, new)]}
    assert case.refusals(["user", "robot"]) == [""] * 4


def add_member(case: Case) -> Change:
    user = case.member(None)
    return lambda: case.admin.add_member(case.project, user, Role.GUEST)


def raise_role(case: Case) -> Change:
    path = case.member_path(case.member(Role.GUEST, "push"))
    return lambda: case.admin.call("PUT", path, {"role_id": int(Role.DEVELOPER)})


def make_public(case: Case) -> Change:
    case.will(None, "pull")
    return lambda: case.set_public(True)


def make_admin(case: Case) -> Change:
    path = case.user_path(case.member(None, "push")) + "/sysadmin"
    return lambda: case.admin.call("PUT", path, {"sysadmin_flag": True})


def enable_user(case: Case) -> Change:
    user = case.member(Role.GUEST)
    case.command("disable", user.name)
    return lambda: case.command("enable", user.name)


def enable_robot(case: Case) -> Change:
    robot = case.robot()
    case.admin.disable_robot(robot)
    return lambda: case.change_robot(robot, disable=False)


GIVEN: Final[dict[str, Prepare]] = {
    "member added": add_member,
    "role raised": raise_role,
    "project made public": make_public,
    "administrator": make_admin,
    "user enabled": enable_user,
    "robot enabled": enable_robot,
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_is_there_at_once_everywhere(case: Case, name: str) -> None:
    """A refusal is never remembered: a new member's first push must not depend on who answers it."""
    change = GIVEN[name](case)
    # A token holds what was his when it was issued; the password, or nobody, shows what he may now.
    how = "nothing" if "nothing" in case.headers else "password"
    for _ in range(2):
        assert all(case.refusals([how]))
    change()
    for _ in range(3):
        assert case.refusals([how]) == [""] * 2
        case.headers["token"] = [bearer(case.token(case.headers[how]))]
        assert case.refusals(["token"]) == [""] * 2


def test_a_new_token_is_good_on_every_worker_at_once(case: Case) -> None:
    case.member(Role.DEVELOPER, "push")
    for _ in range(10):
        case.headers["token"] = [bearer(case.token(case.headers["password"]))]
        assert case.refusals(["token"]) == [""] * 2
