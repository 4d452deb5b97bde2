"""`/service/token` as in distribution's spec/auth: token, oauth and scope; and what real clients make of it."""

import re
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import Connection, func, select

from mooring.access import epoch, refresh
from mooring.access.tables import refresh_tokens
from mooring.identity import robots, users
from mooring.identity.passwords import hash_password
from mooring.refusals import Reason, Refused
from tests.access.forgery import decode
from tests.access.people import PASSWORD, SECRET, Stage, add_robot, add_user, pairs
from tests.http.site import ADMIN_PASSWORD, Headers, Reply, Site, basic, bearer

TOKENS: Final = "/service/token"
DEVELOPER: Final = [basic("role-D", PASSWORD)]
FORM: Final = ("content-type", "application/x-www-form-urlencoded")
WRONG: Final = [
    basic("role-D", "Wrong-password-1"),
    basic("role-D", ""),
    basic("nobody-of-this-name", PASSWORD),
    basic("", ""),
    basic("robot$closed+builder", "Wrong-secret-1"),
    basic("robot$closed+nobody", SECRET),
    basic("robot$", SECRET),
    basic("role-D", "x" * 5000),
]


def get(site: Site, headers: Headers = (), **query: str | list[str]) -> Reply:
    return site.ask("GET", TOKENS, headers, query=urlencode(query, doseq=True, quote_via=quote))


def post(site: Site, **form: str | list[str]) -> Reply:
    return site.ask("POST", TOKENS, [FORM], urlencode(form, doseq=True).encode())


def access(reply: Reply) -> list[Any]:
    assert reply.status == 200, reply
    found: list[Any] = decode(reply.json["token"])[1]["access"]
    return found


def granted(reply: Reply) -> dict[str, list[str]]:
    """Repositories with what may be done in them."""
    return {item["name"]: item["actions"] for item in access(reply) if item["type"] == "repository"}


@pytest.mark.parametrize("scope", ["", "repository:open/app:pull", "repository:closed/app:pull,push"])
@pytest.mark.parametrize("credentials", WRONG)
def test_wrong_credentials_are_401_with_and_without_a_scope(
    site: Site, credentials: tuple[str, str], scope: str
) -> None:
    reply = get(site, [credentials], service="mooring", **({"scope": scope} if scope else {}))
    assert (reply.status, reply.code, reply.reason) == (401, "UNAUTHORIZED", "bad_credentials")
    assert reply.challenge == 'Basic realm="mooring"'


def test_a_token_says_what_the_specification_wants(site: Site) -> None:
    reply = get(site, DEVELOPER, service="mooring", scope="repository:closed/app:pull,push")
    answer, (header, claims) = reply.json, decode(reply.json["token"])
    key = site.parts.keys.keyring.signer
    assert header == {"alg": "ES256", "typ": "JWT", "kid": key.kid}
    assert key.kid == key.key.thumbprint()
    assert answer["access_token"] == answer["token"]
    assert answer["expires_in"] >= 60
    assert claims["exp"] - claims["iat"] == answer["expires_in"]
    assert claims["nbf"] == claims["iat"]
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("mooring", "mooring", "role-D")
    assert claims["access"] == [{"type": "repository", "name": "closed/app", "actions": ["pull", "push"]}]
    assert claims["jti"] != decode(get(site, DEVELOPER).json["token"])[1]["jti"]
    assert "refresh_token" not in answer


def test_issued_at_is_the_tokens_own_time_in_utc(site: Site) -> None:
    """containers/image and buildkit count a token's life from here."""
    answer = get(site).json
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", answer["issued_at"])
    issued = datetime.fromisoformat(answer["issued_at"])
    assert issued.utcoffset() == timedelta(0)
    assert issued.timestamp() == decode(answer["token"])[1]["iat"]


@pytest.mark.parametrize(
    ("who", "asked", "actions"),
    [
        ("role-A", "pull,push,delete", ["pull", "push", "delete"]),
        ("role-M", "delete,push,pull", ["delete", "push", "pull"]),
        ("role-D", "pull,push,delete", ["pull", "push"]),
        ("role-G", "pull,push", ["pull"]),
        ("role-L", "push", []),
        ("outsider", "pull,push", []),
        ("neighbour", "pull", []),
        ("role-D", "*", ["pull", "push"]),
        ("role-A", "*", ["pull", "push", "delete"]),
        ("role-D", "pull,*", ["pull", "push"]),
        ("role-D", "pull,pull,frobnicate", ["pull"]),
        ("role-D", "PULL", []),
        ("role-D", "", []),
    ],
)
def test_right_credentials_get_the_part_that_they_may_have(
    site: Site, who: str, asked: str, actions: list[str]
) -> None:
    reply = get(site, [basic(who, PASSWORD)], scope=f"repository:closed/app:{asked}")
    assert granted(reply) == {"closed/app": actions}
    assert reply.json["scope"] == (f"repository:closed/app:{','.join(actions)}" if actions else "")


def test_several_scopes_in_one_parameter_and_in_several(site: Site) -> None:
    expected = {"closed/app": ["pull", "push"], "open/app": ["pull"], "other/app": []}
    one, two, three = "repository:closed/app:pull,push", "repository:open/app:pull", "repository:other/app:pull"
    assert granted(get(site, DEVELOPER, scope=f"{one} {two} {three}")) == expected
    assert granted(get(site, DEVELOPER, scope=[one, two, three])) == expected
    assert granted(get(site, DEVELOPER, scope=[f"{one} {two}", three])) == expected


def test_one_repository_asked_for_twice_is_one_grant(site: Site) -> None:
    scopes = ["repository:closed/app:pull", "repository:closed/app:push,pull"]
    assert access(get(site, DEVELOPER, scope=scopes)) == [
        {"type": "repository", "name": "closed/app", "actions": ["pull", "push"]}
    ]


@pytest.mark.parametrize(
    "beside",
    [
        "repository:registry.test:5000/closed/app:pull",
        "repository:closed/app",
        "repository",
        ":::",
        "",
        "repository::pull",
        "::",
        "nonsense:closed/app:pull",
        "repository:" + "x" * 5000 + ":pull",
        "repository:UPPER/case:pull",
        "\u00e9:\u00e9:\u00e9",
        "\x00",
    ],
)
def test_a_scope_that_nobody_can_have_takes_nothing_from_the_others(site: Site, beside: str) -> None:
    """One name with a port emptied the whole grant in pulp_container."""
    for scopes in (
        [beside, "repository:closed/app:pull"],
        ["repository:closed/app:pull", beside],
        [f"{beside} repository:closed/app:pull"],
    ):
        found = granted(get(site, DEVELOPER, scope=scopes))
        assert found.pop("closed/app") == ["pull"]
        assert not any(found.values())


def test_a_name_may_hold_a_port(site: Site) -> None:
    """Split at the first colon and at the last: in between is the name."""
    found = access(get(site, DEVELOPER, scope="repository:registry.test:5000/closed/app:pull,push"))
    assert found == [{"type": "repository", "name": "registry.test:5000/closed/app", "actions": []}]


def test_a_class_is_read_over(site: Site) -> None:
    found = access(get(site, DEVELOPER, scope="repository(plugin):closed/app:pull"))
    assert found == [{"type": "repository", "name": "closed/app", "actions": ["pull"]}]


@pytest.mark.parametrize(("asked", "actions"), [("*", ["*"]), ("pull", []), ("", []), ("*,pull", ["*"])])
def test_the_catalogue_is_a_scope_of_its_own(site: Site, asked: str, actions: list[str]) -> None:
    found = access(get(site, DEVELOPER, scope=f"registry:catalog:{asked}"))
    assert found == [{"type": "registry", "name": "catalog", "actions": actions}]


def test_other_registry_scopes_are_nobodys(site: Site) -> None:
    found = access(get(site, [basic("admin", ADMIN_PASSWORD)], scope="registry:settings:*"))
    assert found == [{"type": "registry", "name": "settings", "actions": []}]


def test_nobody_gets_what_is_open_to_all(site: Site) -> None:
    scopes = ["repository:open/app:pull,push", "repository:closed/app:pull"]
    reply = get(site, scope=scopes, offline_token="true")
    assert granted(reply) == {"open/app": ["pull"], "closed/app": []}
    assert decode(reply.json["token"])[1]["sub"] == ""
    assert "refresh_token" not in reply.json
    token = [bearer(reply.json["token"])]
    assert site.ask("GET", "/v2/open/app/manifests/latest", token).status == 200
    assert site.ask("GET", "/v2/closed/app/manifests/latest", token).reason == "authentication_required"


def test_what_clients_send_beside_does_no_harm(site: Site) -> None:
    beside: dict[str, str | list[str]] = {"service": "other", "account": "somebody", "client_id": "docker"}
    reply = get(site, DEVELOPER, scope="repository:open/app:pull", **beside)
    assert granted(reply) == {"open/app": ["pull"]}
    assert decode(reply.json["token"])[1]["sub"] == "role-D"


def test_a_token_that_is_issued_is_never_too_long_to_be_used(site: Site) -> None:
    """oras asks for every scope it ever met; proxies and we have a limit for headers."""
    name = "/".join(["x" * 83] * 3)
    scopes = [f"repository:closed/{number:02}{name}:pull,push" for number in range(100)]
    reply = get(site, DEVELOPER, scope=scopes)
    assert access(reply)[0]["actions"] == ["pull", "push"]
    assert len(reply.json["token"]) < 16 * 1024
    assert site.ask("GET", "/v2/", [bearer(reply.json["token"])]).status == 200


def test_scopes_that_only_swell_a_token_are_left_out(site: Site) -> None:
    swelling = [f"repository:{letter * 500}/{number}:pull" for number in range(64) for letter in '\\"\u00e9\x01']
    reply = get(site, DEVELOPER, scope=[*swelling, "repository:closed/app:pull"])
    assert granted(reply) == {"closed/app": ["pull"]}
    assert len(reply.json["token"]) < 1024


def test_bearer_is_no_way_to_log_in_here(site: Site) -> None:
    token = site.token("repository:closed/app:pull", DEVELOPER)
    reply = get(site, [bearer(token)], scope="repository:closed/app:pull,push")
    assert (reply.status, reply.reason, reply.challenge) == (401, "malformed", 'Basic realm="mooring"')


def test_head_answers_like_get(site: Site) -> None:
    assert site.ask("HEAD", TOKENS, DEVELOPER).status == 200
    assert site.ask("HEAD", TOKENS, [WRONG[0]]).status == 401


def test_a_password_by_post(site: Site) -> None:
    reply = post(
        site,
        grant_type="password",
        username="role-D",
        password=PASSWORD,
        service="mooring",
        client_id="containerd",
        scope="repository:closed/app:pull,push,delete repository:open/app:pull",
    )
    assert granted(reply) == {"closed/app": ["pull", "push"], "open/app": ["pull"]}
    assert reply.json["scope"] == "repository:closed/app:pull,push repository:open/app:pull"
    assert reply.json["expires_in"] >= 60
    assert reply.json["access_token"] == reply.json["token"]
    assert "refresh_token" not in reply.json


@pytest.mark.parametrize("form", [{"username": "role-D", "password": "wrong"}, {"username": "role-D"}, {}])
def test_a_wrong_password_by_post(site: Site, form: dict[str, str]) -> None:
    for scope in ("", "repository:open/app:pull"):
        reply = post(site, grant_type="password", scope=scope, **form)
        assert (reply.status, reply.reason, reply.challenge) == (401, "bad_credentials", 'Basic realm="mooring"')


@pytest.mark.parametrize("form", [{}, {"grant_type": "client_credentials"}, {"grant_type": ""}])
def test_another_grant_is_400(site: Site, form: dict[str, str]) -> None:
    """Not 401: nothing was proven wrong. Not 404: clients would take it that there is no POST here."""
    reply = post(site, username="role-D", password=PASSWORD, **form)
    assert (reply.status, reply.code) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"&&&", b"=", b"%", b'{"grant_type": "password"}', b"a=b&" * 1000])
def test_a_body_that_is_no_form_is_400(site: Site, body: bytes) -> None:
    assert site.ask("POST", TOKENS, [FORM], body).status == 400


def test_a_large_form_is_413(site: Site) -> None:
    assert site.ask("POST", TOKENS, [FORM], b"x" * 70_000).status == 413


def refresh_token(site: Site, headers: Headers = DEVELOPER) -> str:
    reply = get(site, headers, offline_token="true", client_id="docker", service="mooring")
    return str(reply.json["refresh_token"])


def test_a_refresh_token_by_get_and_by_post(site: Site) -> None:
    by_post = post(site, grant_type="password", username="role-D", password=PASSWORD, access_type="offline")
    for token in (refresh_token(site), by_post.json["refresh_token"]):
        reply = post(site, grant_type="refresh_token", refresh_token=token, scope="repository:closed/app:pull")
        assert granted(reply) == {"closed/app": ["pull"]}
        assert decode(reply.json["token"])[1]["sub"] == "role-D"
        assert reply.json["refresh_token"] == token


def test_a_refresh_token_is_kept_as_a_hash(site: Site) -> None:
    token = refresh_token(site)
    site.write(lambda connection: connection.exec_driver_sql("SELECT 1"))
    for file in site.settings.data.rglob("*"):
        assert not file.is_file() or token.encode() not in file.read_bytes(), file


def test_a_refresh_token_opens_nothing_itself(site: Site) -> None:
    token = refresh_token(site)
    assert site.ask("GET", "/v2/", [bearer(token)]).reason == "malformed"
    assert site.ask("GET", "/v2/", [basic("role-D", token)]).reason == "bad_credentials"
    assert get(site, [basic("<token>", token)]).reason == "bad_credentials"


@pytest.mark.parametrize("token", ["", "made-up", "x" * 5000, "\x00"])
def test_a_made_up_refresh_token(site: Site, token: str) -> None:
    reply = post(site, grant_type="refresh_token", refresh_token=token)
    assert (reply.status, reply.reason, reply.challenge) == (401, "bad_credentials", 'Basic realm="mooring"')


def test_a_refresh_token_is_for_one_service(site: Site) -> None:
    token = refresh_token(site)
    with pytest.raises(Refused) as refused:
        site.write(refresh.use, site.now, token, "another-registry", 30)
    assert refused.value.reason == Reason.BAD_CREDENTIALS
    assert site.write(refresh.use, site.now, token, "mooring", 30).name == "role-D"


def test_a_refresh_token_lives_as_long_as_it_is_used(site: Site) -> None:
    day = 86_400_000_000
    token, now = refresh_token(site), site.now
    site.write(refresh.use, now + 29 * day, token, "mooring", 30)
    site.write(refresh.use, now + 58 * day, token, "mooring", 30)
    with pytest.raises(Refused, match="expired"):
        site.write(refresh.use, now + 89 * day, token, "mooring", 30)
    site.write(refresh.sweep, now + 89 * day)
    with pytest.raises(Refused, match="unknown"):
        site.write(refresh.use, now, token, "mooring", 30)


def test_expired_refresh_tokens_are_swept_up_while_serving(site: Site) -> None:
    counting = select(func.count()).select_from(refresh_tokens)

    def number() -> int:
        return int(site.read(lambda connection: connection.execute(counting).scalar_one()))

    before, day = number(), 86_400_000_000
    refresh_token(site)
    site.write(refresh.issue, site.now - 31 * day, subject="user:1", service="mooring", client_id="", life_days=30)
    assert number() == before + 2
    (sweeping,) = [work for work in site.parts.works if work.name == "refresh_tokens"]
    site.run(sweeping.run())  # type: ignore[arg-type]
    assert number() == before + 1


@pytest.fixture
def leaver(site: Site) -> str:
    """Somebody to whom things happen; each test has its own."""
    name = f"leaver-{site.now}"
    add_user(site, name)
    return name


def user_id(connection: Connection, name: str) -> int:
    found = users.by_name(connection, name)
    assert found is not None
    return int(found["id"])


def use(site: Site, token: str) -> Reply:
    return post(site, grant_type="refresh_token", refresh_token=token)


def test_a_disabled_account_gets_nothing_for_its_refresh_token(site: Site, leaver: str) -> None:
    token = refresh_token(site, [basic(leaver, PASSWORD)])
    site.write(lambda connection: users.change(connection, site.now, user_id(connection, leaver), {"disabled": True}))
    assert (use(site, token).status, use(site, token).reason) == (401, "disabled")


def test_a_removed_account_gets_nothing_for_its_refresh_token(site: Site, leaver: str) -> None:
    token = refresh_token(site, [basic(leaver, PASSWORD)])
    site.write(lambda connection: users.remove(connection, user_id(connection, leaver)))
    assert (use(site, token).status, use(site, token).reason) == (401, "revoked")


def test_revoking_ends_all_of_an_accounts_refresh_tokens_and_no_other(site: Site, leaver: str) -> None:
    mine = [refresh_token(site, [basic(leaver, PASSWORD)]) for _ in range(2)]
    others = refresh_token(site)

    def change_password(connection: Connection) -> None:
        number = user_id(connection, leaver)
        users.change(connection, site.now, number, {"password_hash": hash_password("A-new-password-1")})
        assert refresh.revoke_all(connection, f"user:{number}") == 2
        epoch.advance(connection)

    site.write(change_password)
    for token in mine:
        assert (use(site, token).status, use(site, token).reason) == (401, "bad_credentials")
    assert use(site, others).status == 200


def test_an_expired_robots_refresh_token(stage: Stage) -> None:
    site = stage.site
    number = add_robot(
        site, "short-lived", {"closed": pairs("repository:pull")}, project=("closed", stage.project_ids), days=1
    )
    token = refresh_token(site, [basic("robot$closed+short-lived", SECRET)])
    assert use(site, token).status == 200
    site.write(robots.change, site.now, number, {"expires_at": site.now - 1})
    assert use(site, token).reason == "credentials_expired"
    site.write(robots.change, site.now, number, {"expires_at": None, "disabled": True})
    assert use(site, token).reason == "disabled"


def test_nothing_but_hashes_is_stored(site: Site) -> None:
    refresh_token(site)
    stored = site.read(lambda connection: connection.scalars(select(refresh_tokens.c.token_hash)).all())
    assert stored
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in stored)
