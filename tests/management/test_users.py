"""People's accounts: what can't be had through the API, and what ends with a change."""

import pytest

from mooring.access import refresh
from tests.http.site import ADMIN_PASSWORD, Site
from tests.management.desk import PASSWORD, chief, entry, make_robot, make_user, somebody, unique

NEW = "Another-Sailor-8"


@pytest.mark.parametrize("field", ["sysadmin_flag", "has_admin_role", "admin_role_in_auth", "role_id"])
def test_nobody_is_made_an_administrator(site: Site, field: str) -> None:
    """CVE-2019-16097."""
    user_id, _ = make_user(site, fields={field: 1})
    assert not chief(site).get(f"/users/{user_id}")["sysadmin_flag"]


def test_nobody_makes_himself_an_administrator(site: Site) -> None:
    user_id, name = make_user(site)
    own = somebody(site, name)
    own.put(f"/users/{user_id}", {"sysadmin_flag": True, "realname": "me"})
    assert own.ask("PUT", f"/users/{user_id}/sysadmin", {"sysadmin_flag": True}).status == 403
    assert own.get("/users/current")["sysadmin_flag"] is False
    assert own.get("/users/current")["realname"] == "me"


def test_an_unknown_field_is_refused(site: Site) -> None:
    reply = chief(site).ask("POST", "/users", {"username": "x", "password": PASSWORD, "is_admin": True})
    assert (reply.status, reply.code) == (400, "BAD_REQUEST")
    assert "is_admin" in reply.error["message"]


@pytest.mark.parametrize("password", ["Short1", "no-capitals-1", "NO-SMALL-ONES-1", "No-digits", "Aa1" + "x" * 126])
def test_weak_passwords(site: Site, password: str) -> None:
    body = {"username": unique("weak"), "password": password}
    assert chief(site).ask("POST", "/users", body).status == 400


@pytest.mark.parametrize("name", ["", "a b", "a,b", "robot$x", "a\x00b", "a\x1fb", "a/b", "x" * 256])
def test_names_that_are_none(site: Site, name: str) -> None:
    assert chief(site).ask("POST", "/users", {"username": name, "password": PASSWORD}).status == 400


def test_the_last_administrator_stays(site: Site) -> None:
    user_id, name = make_user(site)
    chief(site).put(f"/users/{user_id}/sysadmin", {"sysadmin_flag": True})
    second = somebody(site, name)
    second.put("/users/1/sysadmin", {"sysadmin_flag": False})
    assert second.ask("PUT", f"/users/{user_id}/sysadmin", {"sysadmin_flag": False}).status == 412
    assert second.ask("DELETE", f"/users/{user_id}").status == 403
    second.put("/users/1/sysadmin", {"sysadmin_flag": True})
    chief(site).delete(f"/users/{user_id}")


def test_a_robot_that_manages_users_is_no_way_to_become_administrator(site: Site) -> None:
    every = [f"user:{action}" for action in ("create", "read", "list", "update", "delete")]
    _, robot = make_robot(chief(site), "system", entry("/", *every))
    user_id, name = make_user(site)
    assert robot.get(f"/users/{user_id}")["username"] == name
    assert robot.ask("PUT", f"/users/{user_id}/sysadmin", {"sysadmin_flag": True}).status == 403
    assert robot.ask("PUT", "/users/1/password", {"new_password": NEW}).status == 403
    assert robot.ask("PUT", "/users/1", {"email": "mine@example.com"}).status == 403
    assert robot.ask("DELETE", "/users/1").status == 403
    robot.put(f"/users/{user_id}/password", {"new_password": NEW})
    assert somebody(site, name, NEW).get("/users/current")["user_id"] == user_id
    robot.delete(f"/users/{user_id}")


def test_a_password_ends_what_the_old_one_opened(site: Site) -> None:
    user_id, name = make_user(site)
    token = refresh_token(site, user_id)
    own = somebody(site, name)
    assert own.ask("PUT", f"/users/{user_id}/password", {"new_password": NEW}).status == 403
    assert (
        own.ask("PUT", f"/users/{user_id}/password", {"new_password": PASSWORD, "old_password": PASSWORD}).status == 400
    )
    own.put(f"/users/{user_id}/password", {"new_password": NEW, "old_password": PASSWORD})
    assert own.ask("GET", "/users/current").status == 401
    assert is_revoked(site, token)


def test_an_administrator_gives_a_new_password_without_the_old_one(site: Site) -> None:
    user_id, name = make_user(site)
    chief(site).put(f"/users/{user_id}/password", {"new_password": NEW})
    assert somebody(site, name, NEW).get("/users/current")["user_id"] == user_id
    assert chief(site).ask("PUT", "/users/1/password", {"new_password": NEW}).status == 403
    chief(site).put("/users/1/password", {"new_password": NEW, "old_password": ADMIN_PASSWORD})
    somebody(site, "admin", NEW).put("/users/1/password", {"new_password": ADMIN_PASSWORD, "old_password": NEW})


def test_a_deleted_account_is_gone_for_good(site: Site) -> None:
    user_id, name = make_user(site)
    token = refresh_token(site, user_id)
    bearer = site.token(headers=somebody(site, name).headers)
    chief(site).delete(f"/users/{user_id}")
    assert is_revoked(site, token)
    later, _ = make_user(site)
    assert later > user_id, "a token of the deleted account would be one of the new account"
    reply = site.ask("GET", "/v2/", [("authorization", f"Bearer {bearer}")])
    assert (reply.status, reply.reason) == (401, "revoked")


def test_an_email_address_belongs_to_one(site: Site) -> None:
    _, first = make_user(site)
    second, _ = make_user(site)
    assert chief(site).ask("PUT", f"/users/{second}", {"email": f"{first}@example.com"}).status == 409
    chief(site).put(f"/users/{second}", {"email": ""})
    third, _ = make_user(site)
    chief(site).put(f"/users/{third}", {"email": ""})


def test_the_permissions_of_the_caller(site: Site) -> None:
    _, name = make_user(site)
    own = somebody(site, name)
    assert own.get("/users/current/permissions", "scope=/system") == [
        {"resource": "/system/project", "action": "create"}
    ]
    found = own.get("/users/current/permissions", "scope=/project/1&relative=true")
    assert {"resource": ".", "action": "read"} in found
    assert {"resource": "repository", "action": "pull"} in found
    assert {"resource": "repository", "action": "push"} not in found
    assert {"resource": "/project/1", "action": "read"} in own.get("/users/current/permissions", "scope=/project/1")
    assert own.get("/users/current/permissions", "scope=/project/999999") == []
    assert own.get("/users/current/permissions") == []


def refresh_token(site: Site, user_id: int) -> str:
    return site.write(refresh.issue, site.now, subject=f"user:{user_id}", service="mooring", client_id="", life_days=1)


def is_revoked(site: Site, token: str) -> bool:
    body = f"grant_type=refresh_token&service=mooring&refresh_token={token}".encode()
    reply = site.ask("POST", "/service/token", [("content-type", "application/x-www-form-urlencoded")], body)
    return reply.status == 401
