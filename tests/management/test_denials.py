"""The denial log as its readers see it: found by what is known of a refusal, and never more than they may know."""

import json
from base64 import b64encode

import pytest

from mooring.cluster.clock import rfc3339
from mooring.database.selection import Range, Selection
from mooring.observe.denials import log
from mooring.observe.denials.record import Denial, identity
from mooring.refusals import Reason
from tests.http.site import Reply, Site, basic, bearer
from tests.management.desk import PASSWORD, chief, make_project, make_user, somebody, unique

DENIALS = "/denials"
ADMIN, GUEST = 1, 3


def push(site: Site, repository: str, name: str, password: str = PASSWORD) -> Reply:
    return site.ask("POST", f"/v2/{repository}/blobs/uploads/", [basic(name, password), ("user-agent", "docker/29")])


def flush(site: Site) -> None:
    site.run(site.parts.denials.flush(site.parts.database))


def number(reply: Reply) -> str:
    return str(reply.error["detail"]["request_id"])


def facts(row: dict[str, object]) -> dict[str, object]:
    told = row["facts"]
    assert isinstance(told, dict)
    return told


def found(site: Site, query: str, path: str = DENIALS, name: str = "") -> list[dict[str, object]]:
    flush(site)
    desk = somebody(site, name) if name else chief(site)
    rows = desk.get(path, f"q={query}&page_size=100")
    assert isinstance(rows, list)
    return rows


def test_a_refusal_is_found_by_its_number(site: Site) -> None:
    _, bob = make_user(site, "bob")
    project = make_project(site, members={bob: GUEST})
    reply = push(site, f"{project}/app", bob)
    assert reply.status == 403
    (row,) = found(site, f"request_id={number(reply)}")
    assert row["facts"] == {"role": "guest", "may": ["pull"], "project_exists": True}
    told = {name: row[name] for name in ("reason", "status", "method", "path", "subject", "project", "repository")}
    assert told == {
        "reason": "no_permission",
        "status": 403,
        "method": "POST",
        "path": f"/v2/{project}/app/blobs/uploads/",
        "subject": bob,
        "project": project,
        "repository": f"{project}/app",
    }
    assert (row["action"], row["user_agent"], row["replica"]) == ("push", "docker/29", site.parts.replica)
    assert row["explanation"] == reply.error["detail"]["explanation"]


def test_a_token_that_is_refused_is_told_without_its_signature(site: Site) -> None:
    token = site.token("repository:absent/app:pull,push", [basic("admin", "Harbour-Master-1")])
    header, payload, signature = token.split(".")
    other = b64encode(json.dumps({"alg": "ES256", "kid": "from-elsewhere"}).encode()).decode().rstrip("=")
    reply = site.ask(
        "POST", "/v2/absent/app/blobs/uploads/", [("authorization", f"Bearer {other}.{payload}.{signature}")]
    )
    (row,) = found(site, f"request_id={number(reply)}")
    told = row["facts"]
    assert isinstance(told, dict)
    assert (row["reason"], told["kid"], told["alg"]) == ("unknown_kid", "from-elsewhere", "ES256")
    assert (told["iss"], told["aud"], told["sub"]) == ("mooring", "mooring", "admin")
    assert told["iat"] <= told["time"] < told["exp"]
    assert told["granted"] == ["repository:absent/app:"]
    assert row["repository"] == "absent/app"
    for part in (header, payload, signature):
        assert part not in json.dumps(row)


def test_a_refused_login_says_what_the_token_was_for(site: Site) -> None:
    project = make_project(site)
    scope = f"scope=repository:{project}/app:pull,push"
    reply = site.ask("GET", "/service/token", [basic("robot$ci", "wrong")], query=scope)
    (row,) = found(site, f"request_id={number(reply)}")
    assert (row["reason"], row["repository"], row["action"]) == ("bad_credentials", f"{project}/app", "pull,push")
    assert row["facts"] == {"account_exists": False, "failures": 1}


@pytest.mark.parametrize("secret", ["Tr0ub4dor&3-in-the-wrong-field", "hunter2"])
def test_a_password_in_the_place_of_a_name_is_not_kept(site: Site, secret: str) -> None:
    replies = [
        site.ask("GET", "/v2/team/app/tags/list", [basic(secret, "x")]),
        site.ask("GET", "/service/token", [basic(secret, "")]),
        site.ask("POST", "/service/token", body=f"grant_type=password&username={secret}&password=y".encode()),
        site.ask("GET", "/api/v2.0/users/current", [basic(secret, "x")]),
    ]
    for reply in replies:
        (row,) = found(site, f"request_id={number(reply)}")
        assert row["reason"] == "bad_credentials"
        assert secret[3:] not in json.dumps(row)


def test_a_robot_whose_name_a_shell_ate_is_recognised(site: Site) -> None:
    reply = site.ask("GET", "/service/token", [basic("robot+ci", "secret")])
    (row,) = found(site, f"request_id={number(reply)}")
    assert row["subject"] == "robot+ci"


def test_found_by_each_thing_that_is_known(site: Site) -> None:
    _, eve = make_user(site, "eve")
    project = make_project(site)
    before = rfc3339(site.now - 1000)
    replies = [push(site, f"{project}/{name}", eve) for name in ("one", "two", "one")]
    numbers = [number(reply) for reply in replies]
    for query, expected in {
        f"subject={eve}": numbers,
        f"subject={eve},repository={project}/one": [numbers[0], numbers[2]],
        f"project={project}": numbers,
        f"reason=no_permission,project={project}": numbers,
        f"reason=expired,project={project}": [],
        f"replica={site.parts.replica},project={project}": numbers,
        f"project={project},time=[{before}~]": numbers,
        f"project={project},time=[~{before}]": [],
        f"request_id={{{numbers[0]} {numbers[1]}}}": numbers[:2],
    }.items():
        assert sorted(str(row["request_id"]) for row in found(site, query)) == sorted(expected), query


def test_pages_follow_one_another(site: Site) -> None:
    _, eve = make_user(site, "eve")
    project = make_project(site)
    numbers = [number(push(site, f"{project}/app-{each}", eve)) for each in range(5)]
    flush(site)
    for sort, expected in (("", numbers[::-1]), ("-time", numbers[::-1]), ("time", numbers)):
        path, seen = f"{DENIALS}?q=project={project}&page_size=2&sort={sort}", []
        link = ""
        for size in (2, 2, 1):
            reply = chief(site).ask("GET", path)
            assert len(reply.json) == size
            seen += [row["request_id"] for row in reply.json]
            link = reply.header("link") or ""
            path = link.partition(">")[0].removeprefix("</api/v2.0")
        assert (seen, link) == (expected, "")


@pytest.mark.parametrize(
    "query", ["q=client=1", "q=subject=~b", "q=time=2026", "q=time=[x~]", "sort=reason", "sort=time,time", "after=XYZ"]
)
def test_what_no_index_answers_is_not_asked(site: Site, query: str) -> None:
    assert chief(site).ask("GET", DENIALS, query=query).status in (400, 422)


def test_a_project_s_admin_sees_its_refusals_and_no_other(site: Site) -> None:
    _, owner = make_user(site, "owner")
    _, eve = make_user(site, "eve")
    project, other = make_project(site, members={owner: ADMIN, eve: GUEST}), make_project(site)
    here, there = push(site, f"{project}/app", eve), push(site, f"{other}/app", eve)
    path = f"/projects/{project}/denials"
    assert [row["request_id"] for row in found(site, "", path, owner)] == [number(here)]
    assert found(site, f"request_id={number(there)}", path, owner) == []
    assert found(site, f"project={other}", path, owner) == []
    assert somebody(site, owner).ask("GET", DENIALS).status == 403
    assert somebody(site, eve).ask("GET", path).status == 403


def test_a_project_s_admin_learns_no_names_by_wrong_passwords(site: Site) -> None:
    """A robot's name would say that its project exists."""
    _, owner = make_user(site, "owner")
    _, known = make_user(site, "known")
    project = make_project(site, members={owner: ADMIN})
    told = []
    for name in (known, unique("known"), "admin"):
        reply = push(site, f"{project}/app", name, "wrong")
        (row,) = found(site, f"request_id={number(reply)}", f"/projects/{project}/denials", owner)
        told.append((row["subject"], row["facts"]))
    assert told == [("kn…", {"failures": 1}), ("kn…", {"failures": 1}), ("ad…", {"failures": 1})]


def test_a_project_s_admin_learns_of_no_other_project_by_a_token(site: Site) -> None:
    _, owner = make_user(site, "owner")
    _, eve = make_user(site, "eve")
    project, other = make_project(site, members={owner: ADMIN, eve: GUEST}), make_project(site, members={eve: GUEST})
    token = site.token([f"repository:{each}/app:pull" for each in (project, other)], [basic(eve, PASSWORD)])
    reply = site.ask("POST", f"/v2/{project}/app/blobs/uploads/", [bearer(token)])
    assert reply.reason == "no_permission"
    (seen,) = found(site, f"request_id={number(reply)}", f"/projects/{project}/denials", owner)
    assert other not in json.dumps(seen)
    assert facts(seen)["granted"] == [f"repository:{project}/app:pull"]
    (whole,) = found(site, f"request_id={number(reply)}")
    assert f"repository:{other}/app:pull" in json.dumps(whole)


def test_what_is_too_old_or_too_much_goes(site: Site) -> None:
    days = 86_400 * 1_000_000
    rows = [
        Denial(identity(at), at, at, Reason.LOCKED, 429)
        for at in range(site.now - 15 * days, site.now - 15 * days + 1100)
    ]
    site.write(log.store, [each.row() for each in rows])
    (work,) = (each for each in site.parts.works if each.name == "denials")
    assert set(old(site)) == {each.id for each in rows}
    site.run(work.attempt(site.parts.metrics))
    assert old(site) == []


def old(site: Site) -> list[str]:
    selection = Selection([("time", Range(None, rfc3339(site.now - 86_400 * 1_000_000)))], size=10_000)
    return [str(row["id"]) for row in site.read(log.page, selection)]


def test_a_new_project_does_not_see_what_its_name_saw_before(site: Site) -> None:
    _, eve = make_user(site, "eve")
    _, owner = make_user(site, "owner")
    name = unique("reborn")
    early = push(site, f"{name}/app", eve)
    assert early.reason == "no_permission"
    somebody(site, owner).make("/projects", {"project_name": name})
    late = push(site, f"{name}/app", eve)
    assert [row["request_id"] for row in found(site, "", f"/projects/{name}/denials", owner)] == [number(late)]
    assert len(found(site, f"project={name}")) == 2
    assert number(early) in {row["request_id"] for row in found(site, f"project={name}")}


def test_an_odd_request_leaves_a_row_that_can_be_read(site: Site) -> None:
    odd = [(b"user-agent", bytes(range(1, 256))), (b"authorization", b"Basic " + b64encode(b"b\xffb\0:wrong"))]
    reply = site.run(site.asking_raw("GET", "/api/v2.0/projects/\x1b\x00", b"", odd))
    assert reply.status == 401
    (row,) = found(site, f"request_id={number(reply)}")
    assert row["path"] == "/api/v2.0/projects/\ufffd\ufffd"
