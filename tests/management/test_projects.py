"""Projects, their settings and members."""

import pytest

from tests.http.site import Site
from tests.management.desk import Desk, chief, entry, make_project, make_robot, make_user, somebody, unique

ADMIN, DEVELOPER, GUEST, MAINTAINER, LIMITED_GUEST = 1, 2, 3, 4, 5


@pytest.mark.parametrize("name", ["", "Capital", "a b", "a/b", "-a", "a-", "a\x00", "ä", "x" * 256])
def test_names_that_are_none(site: Site, name: str) -> None:
    assert chief(site).ask("POST", "/projects", {"project_name": name}).status == 400


def test_whoever_makes_a_project_administers_it(site: Site) -> None:
    _, name = make_user(site)
    own, project = somebody(site, name), unique("own")
    project_id = own.make("/projects", {"project_name": project, "public": True})
    found = own.get(f"/projects/{project_id}")
    assert (found["owner_name"], found["current_user_role_id"]) == (name, ADMIN)
    assert found["metadata"] == {"public": "true"}
    assert [item["role_name"] for item in own.get(f"/projects/{project}/members")] == ["projectAdmin"]


def test_a_number_is_an_id_unless_the_header_says_name(site: Site) -> None:
    project_id = chief(site).make("/projects", {"project_name": "777"})
    assert chief(site).get(f"/projects/{project_id}")["name"] == "777"
    assert chief(site).ask("GET", "/projects/777").status == 404
    named = Desk(site, [*chief(site).headers, ("x-is-resource-name", "true")])
    assert named.get("/projects/777")["project_id"] == project_id


def test_a_hidden_project_is_answered_like_none(site: Site) -> None:
    _, name = make_user(site)
    hidden, own = make_project(site), somebody(site, name)
    missing = unique("missing")
    for path in ("", "/summary", "/members", "/robots", "/metadatas", "/repositories", "/repositories/app/artifacts"):
        there, nowhere = own.ask("GET", f"/projects/{hidden}{path}"), own.ask("GET", f"/projects/{missing}{path}")
        assert (there.status, nowhere.status) == (404, 404)
        assert there.error["detail"]["explanation"].replace(hidden, missing) == nowhere.error["detail"]["explanation"]
    assert own.ask("HEAD", "/projects", query=f"project_name={hidden}").status == 404


def test_visibility_takes_effect_at_once(site: Site) -> None:
    project, nobody = make_project(site), Desk(site)
    assert nobody.ask("GET", f"/projects/{project}").status == 401
    chief(site).put(f"/projects/{project}", {"metadata": {"public": "true"}})
    assert nobody.get(f"/projects/{project}")["name"] == project
    chief(site).put(f"/projects/{project}/metadatas/public", {"public": "false"})
    assert nobody.ask("GET", f"/projects/{project}").status == 401


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"prevent_vul": "true"}},
        {"metadata": {"enable_content_trust": "1"}},
        {"metadata": {"public": "perhaps"}},
        {"metadata": {"severity": "terrible"}},
        {"storage_limit": 1024},
        {"registry_id": 1},
        {"cve_allowlist": {"items": [{"cve_id": "CVE-2019-10164"}]}},
        {"metadata": "public"},
        {"nonsense": 1},
    ],
)
def test_nothing_is_promised_that_is_not_kept(site: Site, body: dict[str, object]) -> None:
    project = make_project(site)
    assert chief(site).ask("PUT", f"/projects/{project}", body).status == 400
    assert chief(site).ask("POST", "/projects", {"project_name": unique("p"), **body}).status == 400


def test_what_terraform_and_harbor_send_besides(site: Site) -> None:
    name = unique("terraform")
    metadata = {"public": "false", "auto_scan": "false", "prevent_vul": "false", "severity": "High", "future_key": "x"}
    body = {
        "project_name": name,
        "metadata": {**metadata, "retention_id": "7", "proxy_speed_kb": "-1", "enable_content_trust": None},
        "storage_limit": -1,
        "registry_id": None,
        "cve_allowlist": {},
        "public": None,
        "count_limit": -1,
    }
    chief(site).make("/projects", body)
    found = chief(site).get(f"/projects/{name}")
    assert found["metadata"] == {"public": "false", "auto_scan": "false", "prevent_vul": "false", "severity": "high"}
    chief(site).put(f"/projects/{name}", found | {"metadata": {"public": "true"}})
    assert chief(site).get(f"/projects/{name}")["metadata"]["severity"] == "high"


def test_the_list_is_filtered(site: Site) -> None:
    prefix = unique("list")
    names = [f"{prefix}-{end}" for end in ("a", "b", "c")]
    for name in names:
        chief(site).make("/projects", {"project_name": name, "public": name.endswith("b")})
    ask = chief(site).get

    def listed(query: str) -> list[str]:
        return [item["name"].removeprefix(f"{prefix}-") for item in ask("/projects", f"name={prefix}&{query}")]

    assert listed("sort=-name") == ["c", "b", "a"]
    assert listed("sort=public,-name") == ["c", "a", "b"]
    assert listed("public=true") == ["b"]
    assert listed("owner=admin&page_size=2&page=2") == ["c"]
    assert listed(f"q=name%3D{prefix}-a") == ["a"]
    assert listed(f"q=name%253D~{prefix.upper()}") == ["a", "b", "c"]
    assert listed(f"q=name%3D%7B{prefix}-a%20{prefix}-c%7D") == ["a", "c"]
    assert listed("q=creation_time%3D%5B2020-01-01T00:00:00~%5D") == ["a", "b", "c"]
    assert listed("q=creation_time%3D%5B~2020-01-01%2000:00:00%5D") == []
    assert listed("q=project_id%3D%5B1~9223372036854775807%5D,public%3Dfalse") == ["a", "c"]


@pytest.mark.parametrize(
    "query",
    [
        "q=nonsense%3D1",
        "q=name",
        "q=%3D1",
        "q=name%3D",
        "q=name%3D~",
        "q=name%3D%5B1%5D",
        "q=name%3D%5B~%5D",
        "q=name%3D%7B1",
        "q=project_id%3Dx",
        "q=project_id%3D99999999999999999999",
        "q=project_id%3D~1",
        "q=public%3Dmaybe",
        "q=creation_time%3Dnever",
        "q=creation_time%3D10000-01-01",
        "q=name%3D%2500",
        "q=name%3D%ff",
        f"q=name%3D{'x' * 3000}",
        "sort=nonsense",
        "sort=-metadata",
        "page=0",
        "page=-1",
        "page=99999999999999999999",
        "page_size=0",
        "page_size=101",
        "page_size=x",
        "public=maybe",
        "name=%00",
        "name=%EF%BF%BF%00",
    ],
)
def test_queries_that_are_none(site: Site, query: str) -> None:
    assert chief(site).ask("GET", "/projects", query=query).status == 400


def test_pages(site: Site) -> None:
    prefix = unique("page")
    for number in range(5):
        chief(site).make("/projects", {"project_name": f"{prefix}-{number}"})
    reply = chief(site).ask("GET", "/projects", query=f"name={prefix}&page_size=2&page=2&q=name%3D~{prefix}")
    assert reply.header("x-total-count") == "5"
    before, after = (part.strip() for part in (reply.header("link") or "").split(" , "))
    encoded = f"name={prefix}&q=name%3D~{prefix}"
    assert before == f'</api/v2.0/projects?{encoded}&page=1&page_size=2>; rel="prev"'
    assert after == f'</api/v2.0/projects?{encoded}&page=3&page_size=2>; rel="next"'
    reply = chief(site).ask("GET", "/projects", query=f"name={prefix}&page=900")
    assert (reply.json, reply.header("x-total-count"), reply.header("link")) == ([], "5", None)


def test_members_give_no_more_than_they_have(site: Site) -> None:
    project = make_project(site)
    every = [f"member:{action}" for action in ("create", "read", "list", "update", "delete")]
    _, robot = make_robot(chief(site), "project", entry(project, *every, "project:read", "repository:pull"))
    _, name = make_user(site)
    for role in (ADMIN, DEVELOPER, GUEST):
        reply = robot.ask("POST", f"/projects/{project}/members", {"role_id": role, "member_user": {"username": name}})
        assert (reply.status, reply.reason) == (403, "no_permission")
    (first,) = robot.get(f"/projects/{project}/members")
    assert robot.ask("PUT", f"/projects/{project}/members/{first['id']}", {"role_id": LIMITED_GUEST}).status == 403
    assert robot.ask("DELETE", f"/projects/{project}/members/{first['id']}").status == 403


def test_a_member_is_found_in_his_project_only(site: Site) -> None:
    _, name = make_user(site)
    mine, other = make_project(site, members={name: ADMIN}), make_project(site)
    (theirs,) = chief(site).get(f"/projects/{other}/members")
    own = somebody(site, name)
    for method, body in (("GET", None), ("PUT", {"role_id": GUEST}), ("DELETE", None)):
        assert own.ask(method, f"/projects/{mine}/members/{theirs['id']}", body).status == 404
    assert chief(site).get(f"/projects/{other}/members/{theirs['id']}")["role_id"] == ADMIN


def test_a_member_loses_what_his_role_gave_at_once(site: Site) -> None:
    _, name = make_user(site)
    project = make_project(site, members={name: MAINTAINER})
    own = somebody(site, name)
    (member,) = (item for item in chief(site).get(f"/projects/{project}/members") if item["entity_name"] == name)
    assert own.ask("GET", f"/projects/{project}/metadatas").status == 200
    chief(site).put(f"/projects/{project}/members/{member['id']}", {"role_id": LIMITED_GUEST})
    assert own.ask("GET", f"/projects/{project}/members").status == 403
    chief(site).delete(f"/projects/{project}/members/{member['id']}")
    assert own.ask("GET", f"/projects/{project}").status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"role_id": 6, "member_user": {"username": "admin"}},
        {"role_id": 0, "member_user": {"username": "admin"}},
        {"role_id": 1},
        {"role_id": 1, "member_user": {}},
        {"role_id": 1, "member_group": {"group_name": "g"}},
        {"role_id": 1, "member_user": {"user_id": 2**63}},
        {"role_id": 1, "member_user": {"user_id": 0}},
        {"member_user": {"username": "admin"}},
        [],
    ],
)
def test_members_that_are_none(site: Site, body: object) -> None:
    assert chief(site).ask("POST", "/projects/library/members", body).status == 400


def test_a_member_by_id_with_an_empty_group_beside(site: Site) -> None:
    user_id, name = make_user(site)
    project = make_project(site)
    body = {"role_id": GUEST, "member_user": {"user_id": user_id}, "member_group": {"group_name": "", "group_type": 0}}
    member_id = chief(site).make(f"/projects/{project}/members", body)
    assert chief(site).get(f"/projects/{project}/members/{member_id}")["entity_name"] == name
    assert len(chief(site).get(f"/projects/{project}/members", f"entityname={name[-4:]}")) == 1
