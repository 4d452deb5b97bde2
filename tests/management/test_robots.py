"""Robot accounts: nobody gives or takes over more than he has, and a robot stays where it belongs."""

import pytest

from mooring.identity.tables import robots
from mooring.projects import projects
from tests.http.site import Site
from tests.management.desk import (
    PASSWORD,
    chief,
    entry,
    make_project,
    make_robot,
    make_user,
    robot_body,
    somebody,
    unique,
)

ADMIN, DEVELOPER = 1, 2


def test_an_administrator_of_one_project_gives_nothing_in_another(site: Site) -> None:
    """CVE-2019-16919."""
    _, name = make_user(site)
    mine, other = make_project(site, members={name: ADMIN}), make_project(site)
    own = somebody(site, name)
    for entries in (
        [entry(other, "repository:push")],
        [entry(mine, "repository:pull"), entry(other, "repository:push")],
        [entry("*", "repository:push")],
        [entry("/", "user:list")],
    ):
        reply = own.ask("POST", "/robots", robot_body("project", entries))
        assert reply.status in {400, 404}, reply
        reply = own.ask("POST", f"/projects/{mine}/robots", {"name": unique("r"), "permissions": entries})
        assert reply.status == 400, reply
    assert own.ask("POST", "/robots", robot_body("system", [entry(mine, "repository:push")])).status == 403


def test_a_robot_gives_no_more_than_it_has(site: Site) -> None:
    project = make_project(site)
    _, robot = make_robot(chief(site), "project", entry(project, "robot:create", "repository:pull"))
    reply = robot.ask("POST", "/robots", robot_body("project", [entry(project, "repository:push")]))
    assert (reply.status, reply.reason) == (403, "no_permission")
    assert "repository:push" in reply.error["message"]
    make_robot(robot, "project", entry(project, "repository:pull"))


def test_a_system_robot_gives_no_more_than_it_has(site: Site) -> None:
    project = make_project(site)
    given = entry("/", "robot:create", "user:list")
    _, robot = make_robot(chief(site), "system", given, entry(project, "repository:pull"))
    for entries in (
        [entry("/", "user:delete")],
        [entry("*", "repository:pull")],
        [entry("library", "repository:push")],
    ):
        assert robot.ask("POST", "/robots", robot_body("system", entries)).status == 403
    hidden = make_project(site)
    assert robot.ask("POST", "/robots", robot_body("system", [entry(hidden, "repository:pull")])).status == 404
    made, _ = make_robot(robot, "system", entry("/", "user:list"), entry(project, "repository:pull"))
    assert chief(site).get(f"/robots/{made}")["creator_type"] == "robot"


def test_a_robot_takes_over_none_that_may_do_more(site: Site) -> None:
    project = make_project(site)
    _, weak = make_robot(chief(site), "project", entry(project, "robot:update", "robot:read", "repository:pull"))
    strong, _ = make_robot(chief(site), "project", entry(project, "repository:push"))
    assert weak.ask("PATCH", f"/robots/{strong}", {}).status == 403
    assert weak.ask("PUT", f"/robots/{strong}", {"disable": False}).status == 403
    equal, _ = make_robot(chief(site), "project", entry(project, "repository:pull"))
    assert weak.ask("PATCH", f"/robots/{equal}", {}).status == 200
    assert weak.ask("PUT", f"/robots/{equal}", {"permissions": [entry(project, "repository:push")]}).status == 403


def test_a_robot_of_another_project_is_none(site: Site) -> None:
    _, name = make_user(site)
    mine, other = make_project(site, members={name: ADMIN}), make_project(site)
    theirs, _ = make_robot(chief(site), "project", entry(other, "repository:pull"))
    own = somebody(site, name)
    unknown = own.ask("GET", "/robots/999999")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        reply = own.ask(method, f"/robots/{theirs}", None if method in {"GET", "DELETE"} else {})
        assert reply.status == 404
        assert reply.error["message"].replace(str(theirs), "999999") == unknown.error["message"]
        reply = own.ask(method, f"/projects/{mine}/robots/{theirs}", None if method in {"GET", "DELETE"} else {})
        assert reply.status == 404
    assert chief(site).get(f"/robots/{theirs}")["id"] == theirs


def test_lists_of_robots(site: Site) -> None:
    project = make_project(site)
    project_id = chief(site).get(f"/projects/{project}")["project_id"]
    mine, _ = make_robot(chief(site), "project", entry(project, "repository:pull"))
    system, _ = make_robot(chief(site), "system", entry(project, "repository:pull"))
    ask = chief(site).get
    assert [item["id"] for item in ask("/robots", f"q=Level%3Dproject%2CProjectID%3D{project_id}")] == [mine]
    assert [item["id"] for item in ask(f"/projects/{project}/robots")] == [mine]
    listed = [item["id"] for item in ask("/robots", "page_size=100")]
    assert system in listed
    assert mine not in listed
    for query in ("q=Level%3Dproject", "q=Level%3Dnone", "q=ProjectID%3D1%2CLevel%3Dproject%2Cnone%3D1"):
        assert chief(site).ask("GET", "/robots", query=query).status == 400


def test_the_secret_is_told_once_and_kept_as_a_hash(site: Site) -> None:
    robot_id, robot = make_robot(chief(site), "system", entry("/", "user:list"))
    assert "secret" not in chief(site).get(f"/robots/{robot_id}")
    reply = chief(site).ask("PATCH", f"/robots/{robot_id}", {})
    assert len(reply.json["secret"]) >= 32
    assert robot.ask("GET", "/users").status == 401
    chief(site).ask("PATCH", f"/robots/{robot_id}", {"secret": PASSWORD})
    name = chief(site).get(f"/robots/{robot_id}")["name"]
    assert somebody(site, name, PASSWORD).ask("GET", "/users").status == 200
    assert somebody(site, name, PASSWORD + "x").ask("GET", "/users").status == 401
    kept = site.read(lambda connection: connection.execute(robots.select().where(robots.c.id == robot_id)).one())
    assert kept.secret_hash.startswith("$argon2id$")


def test_life(site: Site) -> None:
    body = robot_body("system", [entry("/", "user:list")], duration=1)
    made = chief(site).ask("POST", "/robots", body).json
    assert 0 < made["expires_at"] - site.now // 1_000_000 <= 86_400
    robot = somebody(site, made["name"], made["secret"])
    assert robot.ask("GET", "/users").status == 200
    site.write(lambda c: c.execute(robots.update().where(robots.c.id == made["id"]).values(expires_at=site.now - 1)))
    reply = robot.ask("GET", "/users")
    assert (reply.status, reply.reason) == (401, "credentials_expired")
    chief(site).put(f"/robots/{made['id']}", {"duration": 2})
    assert robot.ask("GET", "/users").status == 200
    chief(site).put(f"/robots/{made['id']}", {"duration": -1})
    assert chief(site).get(f"/robots/{made['id']}")["expires_at"] == -1


@pytest.mark.parametrize("duration", [0, -2, 36_501, 2**63 - 1])
def test_lives_that_are_none(site: Site, duration: int) -> None:
    body = robot_body("system", [entry("/", "user:list")], duration=duration)
    assert chief(site).ask("POST", "/robots", body).status == 400


def test_permissions_that_are_none(site: Site) -> None:
    for entries in (
        [],
        [entry("library")],
        [entry("library", "repository:fly")],
        [entry("library", "*:*")],
        [entry("/", "repository:pull")],
        [{"kind": "planet", "namespace": "/", "access": [{"resource": "user", "action": "list"}]}],
        [{"kind": "system", "namespace": "library", "access": [{"resource": "user", "action": "list"}]}],
        [{"kind": "project", "namespace": "library", "access": [{"resource": "a", "action": "b", "effect": "deny"}]}],
    ):
        assert chief(site).ask("POST", "/robots", robot_body("system", entries)).status == 400, entries


def test_a_robot_keeps_its_name_and_level(site: Site) -> None:
    robot_id, _ = make_robot(chief(site), "system", entry("/", "user:list"))
    known = chief(site).get(f"/robots/{robot_id}")
    chief(site).put(f"/robots/{robot_id}", known | {"description": "What for"})
    assert chief(site).get(f"/robots/{robot_id}")["description"] == "What for"
    assert chief(site).ask("PUT", f"/robots/{robot_id}", known | {"name": "robot$other"}).status == 400
    assert chief(site).ask("PUT", f"/robots/{robot_id}", known | {"level": "project"}).status == 400


def test_a_project_takes_its_robots_and_rights_with_it(site: Site) -> None:
    """A later project of the same name is another one."""
    project = make_project(site)
    _, own = make_robot(chief(site), "project", entry(project, "project:read"))
    _, system = make_robot(chief(site), "system", entry(project, "project:read"), entry("/", "user:list"))
    assert system.ask("GET", f"/projects/{project}").status == 200
    chief(site).delete(f"/projects/{project}")
    chief(site).make("/projects", {"project_name": project})
    assert system.ask("GET", f"/projects/{project}").status == 404
    assert system.ask("GET", "/users").status == 200
    assert own.ask("GET", f"/projects/{project}").status == 401


def test_robots_make_projects_for_nobody(site: Site) -> None:
    _, robot = make_robot(chief(site), "system", entry("/", "project:create"))
    name = unique("made")
    project_id = robot.make("/projects", {"project_name": name})
    row = site.read(projects.find, project_id, "user:1")
    assert (row["owner_id"], row["owner_name"].startswith("robot$")) == (None, True)
    _, of_project = make_robot(chief(site), "project", entry(name, "project:read"))
    assert of_project.ask("POST", "/projects", {"project_name": unique("made")}).status == 403


def test_a_member_who_may_not_make_robots(site: Site) -> None:
    _, name = make_user(site)
    project = make_project(site, members={name: DEVELOPER})
    reply = somebody(site, name).ask("POST", "/robots", robot_body("project", [entry(project, "repository:pull")]))
    assert (reply.status, reply.reason) == (403, "no_permission")
