"""The audit log: each act is in it, with who did it, and nothing that was not done."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from sqlalchemy import Connection, delete
from typer.testing import CliRunner

from mooring.api import audit
from mooring.api.app import declared
from mooring.cli.main import application
from mooring.cluster.clock import DAY, SECOND
from mooring.database.schema import migrate
from mooring.database.selection import Exact, Selection
from mooring.errors import Conflict
from mooring.observe.audit import log
from mooring.observe.audit.log import REMOVED_AT_ONCE, Act
from mooring.observe.audit.tables import audit_log
from tests.databases import OpenDatabase
from tests.http.site import Site
from tests.management.desk import PASSWORD, chief, entry, make_project, make_user, somebody, unique
from tests.management.pushing import push_image

Rows = Sequence[Mapping[str, Any]]
READS: Final = frozenset({"GET", "HEAD"})


@pytest.fixture
def quiet(site: Site) -> Site:
    """With an empty log."""
    site.write(lambda connection: connection.execute(delete(audit_log)).close())
    return site


def told(site: Site, path: str = "/auditlog-exts", query: str = "page_size=100") -> Rows:
    found: Rows = chief(site).get(path, query)
    return found


def acts(site: Site) -> list[tuple[str, str, str, str]]:
    """The oldest first."""
    return [(each["username"], each["operation"], each["resource_type"], each["resource"]) for each in told(site)][::-1]


def test_every_act_of_the_api_is_in_it_once(quiet: Site) -> None:
    """Each route that changes anything, as the administrator, in a life of each thing."""
    desk, name, user = chief(quiet), unique("audited"), unique("bob")
    expected: list[tuple[str, str, str]] = []
    asked: set[str] = set()

    def ask(method: str, template: str, path: str, body: object, *act: str) -> int:
        reply = desk.ask(method, path, body)
        assert reply.status < 300, reply
        asked.add(f"{method} {template}")
        expected.append((act[0], act[1], act[2]))
        made = (reply.header("location") or "").rpartition("/")[2]
        return int(made) if made.isdigit() else 0

    def push(tag: str) -> str:
        digest = push_image(desk.send, f"{name}/app", tag, seed=tag)
        expected.append(("create", "artifact", f"{name}/app:{tag}"))
        return digest

    one, meta = "/projects/{project_name_or_id}", "/projects/{project_name_or_id}/metadatas"
    project = {"project_name": name, "public": False}
    desk.ask("POST", "/projects", project)
    asked.add("POST /projects")
    expected.append(("create", "project", name))
    ask("PUT", one, f"/projects/{name}", {"metadata": {"public": "true"}}, "update", "project", name)
    ask("POST", meta, f"/projects/{name}/metadatas", {"severity": "low"}, "update", "project", name)
    ask(
        "PUT",
        f"{meta}/{{meta_name}}",
        f"/projects/{name}/metadatas/severity",
        {"severity": "high"},
        "update",
        "project",
        name,
    )
    ask("DELETE", f"{meta}/{{meta_name}}", f"/projects/{name}/metadatas/severity", None, "update", "project", name)

    new = {"username": user, "password": PASSWORD, "email": f"{user}@example.com", "realname": user}
    number = ask("POST", "/users", "/users", new, "create", "user", user)
    ask("PUT", "/users/{user_id}", f"/users/{number}", {"realname": "Bob"}, "update", "user", user)
    ask(
        "PUT",
        "/users/{user_id}/password",
        f"/users/{number}/password",
        {"new_password": "Sailor-9-knots"},
        "update",
        "user",
        user,
    )
    for flag in (True, False):
        ask(
            "PUT",
            "/users/{user_id}/sysadmin",
            f"/users/{number}/sysadmin",
            {"sysadmin_flag": flag},
            "update",
            "user",
            user,
        )

    members, member = f"{one}/members", f"{one}/members/{{mid}}"
    of_bob = {"role_id": 3, "member_user": {"username": user}}
    mid = ask("POST", members, f"/projects/{name}/members", of_bob, "create", "project_member", user)
    ask("PUT", member, f"/projects/{name}/members/{mid}", {"role_id": 2}, "update", "project_member", user)
    ask("DELETE", member, f"/projects/{name}/members/{mid}", None, "delete", "project_member", user)

    robot = {"name": "deploy", "level": "project", "duration": -1, "permissions": [entry(name, "repository:pull")]}
    called = f"robot${name}+deploy"
    rid = ask("POST", "/robots", "/robots", robot, "create", "robot", called)
    ask(
        "PUT",
        "/robots/{robot_id}",
        f"/robots/{rid}",
        {**robot, "name": called, "disable": True},
        "update",
        "robot",
        called,
    )
    ask("PATCH", "/robots/{robot_id}", f"/robots/{rid}", {}, "update", "robot", called)
    ask("DELETE", "/robots/{robot_id}", f"/robots/{rid}", None, "delete", "robot", called)
    old = {"name": "build", "access": [{"resource": "repository", "action": "pull"}]}
    called, within = f"robot${name}+build", f"{one}/robots/{{robot_id}}"
    rid = ask("POST", f"{one}/robots", f"/projects/{name}/robots", old, "create", "robot", called)
    ask("PUT", within, f"/projects/{name}/robots/{rid}", {"disable": True}, "update", "robot", called)
    ask("PATCH", within, f"/projects/{name}/robots/{rid}", {}, "update", "robot", called)
    ask("DELETE", within, f"/projects/{name}/robots/{rid}", None, "delete", "robot", called)

    repository = "/projects/{project_name}/repositories/{repository_name}"
    artifact, tags = f"{repository}/artifacts/{{reference}}", f"{repository}/artifacts/{{reference}}/tags"
    at = f"/projects/{name}/repositories/app"
    push("v1")
    second = push("v2")
    ask("PUT", repository, at, {"description": "The app"}, "update", "repository", f"{name}/app")
    ask("POST", tags, f"{at}/artifacts/v1/tags", {"name": "latest"}, "create", "tag", f"{name}/app:latest")
    ask("DELETE", f"{tags}/{{tag_name}}", f"{at}/artifacts/v1/tags/latest", None, "delete", "tag", f"{name}/app:latest")
    ask("DELETE", artifact, f"{at}/artifacts/{second}", None, "delete", "artifact", f"{name}/app@{second}")
    ask("DELETE", repository, at, None, "delete", "repository", f"{name}/app")
    ask("DELETE", "/users/{user_id}", f"/users/{number}", None, "delete", "user", user)
    ask("DELETE", one, f"/projects/{name}", None, "delete", "project", name)

    assert acts(quiet) == [("admin", *each) for each in expected]
    # Whoever adds a route that changes something is told here that it has to be in the log.
    assert asked == {f"{method} {route.path}" for route, _ in declared() for method in (route.methods or set()) - READS}
    assert {f"{operation}_{kind}" for operation, kind, _ in expected} <= set(audit.EVENTS)


def test_what_docker_does_is_in_it_by_the_one_who_did_it(quiet: Site) -> None:
    _, name = make_user(quiet)
    project = make_project(quiet, members={name: 4})
    desk = somebody(quiet, name)
    digest = push_image(desk.send, f"{project}/app", "v1")
    push_image(desk.send, f"{project}/app", None, seed="without a tag")
    assert desk.send("DELETE", f"/v2/{project}/app/manifests/v1", {}, b"") == 202
    assert desk.send("DELETE", f"/v2/{project}/app/manifests/{digest}", {}, b"") == 202
    mine = [act for act in acts(quiet) if act[0] == name]
    assert mine[0] == (name, "create", "artifact", f"{project}/app:v1")
    assert mine[1][3].startswith(f"{project}/app@sha256:")
    assert mine[2:] == [
        (name, "delete", "tag", f"{project}/app:v1"),
        (name, "delete", "artifact", f"{project}/app@{digest}"),
    ]
    (pushed,) = told(quiet, query=f"q=resource={project}/app:v1,operation=create")
    assert pushed["operation_description"] == digest


def test_what_failed_is_not_in_it(quiet: Site) -> None:
    name = make_project(quiet)
    before = acts(quiet)
    desk = chief(quiet)
    assert desk.ask("POST", "/projects", {"project_name": name}).status == 409
    assert desk.ask("DELETE", "/users/999999").status == 404
    assert desk.ask("DELETE", f"/projects/{name}/repositories/none").status == 404
    assert desk.send("DELETE", f"/v2/{name}/app/manifests/v1", {}, b"") == 404
    manifest = b'{"schemaVersion": 2, "config": {"digest": "sha256:%s", "size": 1}, "layers": []}' % (b"0" * 64)
    kind = {"content-type": "application/vnd.oci.image.manifest.v1+json"}
    assert desk.send("PUT", f"/v2/{name}/app/manifests/v1", kind, manifest) == 404
    assert acts(quiet) == before


def test_commands_are_in_it_by_the_one_who_typed_them(quiet: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "harbour-master")
    data = ["--data", str(quiet.settings.data)]
    user = unique("typed")

    def run(*words: str, typed: str = "") -> str:
        done = CliRunner().invoke(application, [*words, *data], input=typed, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    kid = run("keys", "rotate", "--quiet").strip()
    run("config", "set", "page_limit", "500")
    run("config", "unset", "page_limit")
    run("user", "create", user, "--password-stdin", typed=f"{PASSWORD}\n")
    run("user", "password", user, "--password-stdin", typed="Sailor-9-knots\n")
    run("user", "disable", user)
    by = "harbour-master (command line)"
    assert acts(quiet) == [
        (by, "create", "signing_key", kid),
        (by, "update", "configure", "page_limit"),
        (by, "update", "configure", "page_limit"),
        (by, "create", "user", user),
        (by, "update", "user", user),
        (by, "update", "user", user),
    ]
    said = [each["operation_description"] for each in told(quiet)][::-1]
    assert said == ["", "page_limit=500", "page_limit unset", "", "a new password", "disabled"]
    assert PASSWORD not in str(told(quiet))
    printed = run("audit", "--limit", "2")
    assert [word in printed for word in ("disabled", "a new password", "page_limit")] == [True, True, False]
    for_programs = json.loads(run("audit", "--limit", "2", "--output", "json"))
    assert [each["description"] for each in for_programs] == ["disabled", "a new password"]
    assert for_programs[0]["username"] == by


def test_each_sees_the_log_of_what_he_may(quiet: Site) -> None:
    (_, owner), (_, guest) = make_user(quiet), make_user(quiet)
    mine = make_project(quiet, members={owner: 1, guest: 3})
    other = make_project(quiet)
    seen = somebody(quiet, owner).get("/audit-logs", "page_size=100")
    assert {each["resource"] for each in seen} == {mine, owner, guest}
    assert {each["resource_type"] for each in seen} == {"project", "project_member"}
    assert somebody(quiet, guest).get("/audit-logs") == []
    assert somebody(quiet, guest).ask("GET", f"/projects/{mine}/logs").status == 403
    assert somebody(quiet, owner).ask("GET", f"/projects/{other}/logs").status == 404
    assert {each["resource"] for each in somebody(quiet, owner).get(f"/projects/{mine}/logs")} == {mine, owner, guest}
    (only,) = somebody(quiet, owner).get(f"/projects/{mine}/auditlog-exts", "q=resource_type=project")
    assert (only["operation"], only["operation_result"]) == ("create", True)
    assert quiet.ask("GET", "/api/v2.0/audit-logs").status == 401


def test_a_new_project_of_the_same_name_has_a_log_of_its_own(quiet: Site) -> None:
    name = make_project(quiet)
    chief(quiet).delete(f"/projects/{name}")
    chief(quiet).make("/projects", {"project_name": name})
    assert [each["operation"] for each in told(quiet, f"/projects/{name}/logs")] == ["create"]
    assert [each["operation"] for each in told(quiet, "/audit-logs", f"q=resource={name}")] == [
        "create",
        "delete",
        "create",
    ]


def test_it_is_asked_as_harbor_s_is(quiet: Site) -> None:
    for number in range(25):
        act = Act(f"user-{number % 5}", "create", "artifact", f"library/app:v{number}")
        quiet.write(log.note, quiet.now - (25 - number) * 60 * SECOND, act)
    desk = chief(quiet)
    first = desk.ask("GET", "/audit-logs?page=2&page_size=10")
    assert [each["resource"] for each in first.json] == [f"library/app:v{number}" for number in range(14, 4, -1)]
    assert first.header("x-total-count") == "25"
    assert [f'rel="{word}"' in (first.header("link") or "") for word in ("prev", "next", "last")] == [True, True, False]
    assert set(first.json[0]) == {"id", "username", "resource", "resource_type", "operation", "op_time"}
    oldest = desk.get("/audit-logs", "sort=op_time&page_size=1")
    assert oldest[0]["resource"] == "library/app:v0"
    assert len(desk.get("/audit-logs", "q=username=user-3")) == 5
    assert len(desk.get("/audit-logs", "q=resource=~app:v2&page_size=100")) == 6
    second = desk.get("/audit-logs", "sort=op_time&page_size=2")[1]["op_time"]
    assert desk.get("/audit-logs", f"q=op_time=[~{second}]") == oldest
    assert desk.ask("GET", "/audit-logs?q=password=1").status == 400
    assert desk.ask("GET", "/audit-logs?sort=resource").status == 400
    assert {"event_type": "create_artifact"} in desk.get("/auditlog-exts/events")


def test_old_rows_go_and_others_stay(open_empty: OpenDatabase) -> None:
    database, days, now = open_empty(), 30, 400 * DAY
    database.write_now(migrate)

    def fill(connection: Connection) -> None:
        for number in range(REMOVED_AT_ONCE + 10):
            log.note(connection, now - days * DAY - 1000 + number, Act("old", "create", "artifact", str(number)))
        log.note(connection, now - days * DAY + 60 * SECOND, Act("young", "create", "artifact", "kept", 7, "x" * 600))

    database.write_now(fill)
    gone = [database.write_now(log.remove_old, now, days) for _ in range(3)]
    assert gone == [REMOVED_AT_ONCE, 10, 0]
    page = database.read_now(log.page, Selection(tests=[("project_id", Exact("7"))]))
    assert (page.total, page.rows[0]["username"], len(page.rows[0]["description"])) == (1, "young", 512)
    assert database.read_now(log.page, Selection()).total == 1


def test_an_act_that_fails_takes_its_row_along(open_empty: OpenDatabase) -> None:
    database = open_empty()
    database.write_now(migrate)

    def fail(connection: Connection) -> None:
        log.note(connection, 1, Act("inner", "create", "artifact", "library/app"))
        raise Conflict

    with pytest.raises(Conflict):
        database.write_now(log.noted(1, Act("outer", "create", "artifact", "library/app"), fail))
    assert database.read_now(log.page, Selection()).total == 0


def test_a_round_of_the_work_sweeps(quiet: Site) -> None:
    days = quiet.parts.configuration.settings.audit_days
    for name, age in (("old", days + 1), ("young", days - 1)):
        quiet.write(log.note, quiet.now - age * DAY, Act(name, "create", "artifact", "library/app"))
    (work,) = (each for each in quiet.parts.works if each.name == "audit")
    quiet.run(work.attempt(quiet.parts.metrics))
    assert {act[0] for act in acts(quiet)} == {"young"}


def test_a_long_list_is_counted_to_a_bound(quiet: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST_COUNTED", 5)
    for number in range(8):
        quiet.write(log.note, quiet.now, Act("many", "create", "artifact", str(number)))
    reply = chief(quiet).ask("GET", "/audit-logs?page_size=3")
    assert (reply.header("x-total-count"), len(reply.json)) == ("5", 3)
