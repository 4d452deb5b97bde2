"""Who somebody is, proven within one process. `test_throttle_live.py` does it against a real server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from mooring.database.sqlite import SQLite
from mooring.identity import passwords, robots, throttle, users
from mooring.identity.credentials import Account
from mooring.identity.passwords import hash_password
from mooring.identity.throttle import LIMIT
from mooring.refusals import Reason, Refused
from tests.access.forgery import signed
from tests.access.people import PASSWORD, SECRET, add_project, add_robot, add_user, pairs
from tests.http.site import Site, basic, bearer

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("credentials") / "data") as made:
        yield made


@pytest.fixture(scope="module")
def anna(site: Site) -> int:
    return add_user(site, "anna")


@pytest.fixture(scope="module")
def robot(site: Site) -> int:
    project = add_project(site, "ships")
    return add_robot(
        site, "builder", {"ships": pairs("repository:pull")}, project=("ships", {"ships": project}), days=1
    )


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong passwords do not wait."""
    monkeypatch.setattr(throttle, "delay", lambda _failures: 0.0)


def prove(site: Site, name: str, secret: str, source: str = HERE) -> Account:
    return site.run(site.parts.credentials.prove(name, secret, source))


def refusal(site: Site, name: str, secret: str, source: str = HERE) -> Reason:
    with pytest.raises(Refused) as refused:
        prove(site, name, secret, source)
    return refused.value.reason


def test_a_user(site: Site, anna: int) -> None:
    assert prove(site, "anna", PASSWORD) == Account(f"user:{anna}", "anna")
    assert refusal(site, "anna", "wrong") == Reason.BAD_CREDENTIALS


def test_a_robot(site: Site, robot: int) -> None:
    assert prove(site, "robot$ships+builder", SECRET) == Account(f"robot:{robot}", "robot$ships+builder")
    assert refusal(site, "robot$ships+builder", "wrong") == Reason.BAD_CREDENTIALS
    assert refusal(site, "robot$ships+nobody", SECRET) == Reason.BAD_CREDENTIALS


def test_a_robots_secret_is_made_random_and_kept_as_a_hash(site: Site, robot: int) -> None:
    made = {robots.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) >= 43 for secret in made)  # 256 bits
    found = site.read(robots.by_name, "robot$ships+builder")
    assert found is not None
    assert SECRET not in str(dict(found))


def test_a_secret_that_a_person_chose_is_kept_as_a_password_is(site: Site, robot: int) -> None:
    chosen = hash_password("Chosen-secret-1")
    site.write(robots.change, site.now, robot, {"secret_hash": chosen})
    try:
        assert prove(site, "robot$ships+builder", "Chosen-secret-1").subject == f"robot:{robot}"
        assert refusal(site, "robot$ships+builder", SECRET) == Reason.BAD_CREDENTIALS
        assert refusal(site, "robot$ships+builder", chosen) == Reason.BAD_CREDENTIALS
    finally:
        site.write(robots.change, site.now, robot, {"secret_hash": robots.hash_secret(SECRET)})


def test_time_does_not_tell_whether_a_robot_exists(
    site: Site, robot: int, monkeypatch: pytest.MonkeyPatch, at_once: None
) -> None:
    """Nor how its secret is kept: each wrong one costs a slow check, and a right one that was made costs none."""
    checks: list[str] = []
    check = passwords._verify

    def counted(password: str, password_hash: str | None) -> bool:
        checks.append(password)
        return check(password, password_hash)

    monkeypatch.setattr(passwords, "_verify", counted)
    add_robot(site, "chosen", {"ships": pairs("repository:pull")})
    found = site.read(robots.by_name, "robot$chosen")
    assert found is not None
    site.write(robots.change, site.now, found["id"], {"secret_hash": hash_password("Chosen-secret-2")})
    for name in ("robot$ships+builder", "robot$ships+nobody", "robot$chosen", "robot$"):
        checks.clear()
        assert refusal(site, name, "a-guess-at-robots", THERE) in {Reason.BAD_CREDENTIALS, Reason.LOCKED}
        assert len(checks) == 1, name
    checks.clear()
    prove(site, "robot$ships+builder", SECRET)
    assert checks == []


def test_disabled_is_told_only_to_who_knows_the_password(site: Site, robot: int) -> None:
    number = add_user(site, "dora")
    site.write(users.change, site.now, number, {"disabled": True})
    assert refusal(site, "dora", "wrong") == Reason.BAD_CREDENTIALS
    assert refusal(site, "dora", PASSWORD) == Reason.DISABLED
    site.write(users.change, site.now, number, {"disabled": False})
    assert prove(site, "dora", PASSWORD).name == "dora"
    site.write(robots.change, site.now, robot, {"disabled": True})
    assert refusal(site, "robot$ships+builder", "wrong") == Reason.BAD_CREDENTIALS
    assert refusal(site, "robot$ships+builder", SECRET) == Reason.DISABLED
    site.write(robots.change, site.now, robot, {"disabled": False})


def test_a_robot_expires_by_cluster_time(site: Site, robot: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expires_at = site.read(robots.by_name, "robot$ships+builder")["expires_at"]  # type: ignore[index]
    clock = type(site.parts.clock)
    monkeypatch.setattr(clock, "now", lambda _: expires_at - 1)
    assert prove(site, "robot$ships+builder", SECRET).subject == f"robot:{robot}"
    monkeypatch.setattr(clock, "now", lambda _: expires_at)
    assert refusal(site, "robot$ships+builder", SECRET) == Reason.CREDENTIALS_EXPIRED
    assert refusal(site, "robot$ships+builder", "wrong") == Reason.BAD_CREDENTIALS


@pytest.mark.usefixtures("at_once")
def test_a_crowd_of_wrong_passwords_stops_no_right_one(site: Site, anna: int) -> None:
    found = [refusal(site, "anna", f"wrong-{number % 2}") for number in range(LIMIT + 3)]
    assert found[0] == Reason.BAD_CREDENTIALS
    assert found[-1] == Reason.LOCKED
    for source in (HERE, THERE):
        assert prove(site, "anna", PASSWORD, source).subject == f"user:{anna}"
    assert refusal(site, "anna", "wrong", THERE) == Reason.BAD_CREDENTIALS
    assert refusal(site, "bert", "wrong", HERE) == Reason.BAD_CREDENTIALS


def test_a_right_password_never_waits(site: Site, anna: int) -> None:
    for number in range(5):  # the last of them waits
        refusal(site, "anna", f"again-{number}", "192.0.2.77")
    started = time.monotonic()
    prove(site, "anna", PASSWORD, "192.0.2.77")
    assert time.monotonic() - started < 0.2  # it was proven a moment ago: no slow check, and no wait


def test_names_are_told_apart_exactly(site: Site, anna: int) -> None:
    for name in ("Anna", "anna ", " anna", "anna\0", "ann", "robot$anna", "", "anna%"):
        assert refusal(site, name, PASSWORD, THERE) in (Reason.BAD_CREDENTIALS, Reason.LOCKED), name


@contextmanager
def broken_database(site: Site, statements: str = "") -> Iterator[None]:
    """Statements that begin like this fail as they do when the disk does."""

    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(statements):
            raise OperationalError(statement, {}, Exception("disk I/O error"))

    assert isinstance(site.parts.database, SQLite)
    engine = site.parts.database.engine
    event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", fail)


@pytest.mark.parametrize("path", ["/v2/ships/app/manifests/latest", "/v2/", "/service/token"])
@pytest.mark.parametrize(
    "credentials", [("anna", PASSWORD), ("anna", "wrong"), ("nobody", "wrong"), ("robot$ships+builder", SECRET)]
)
def test_an_outage_is_never_a_refusal(site: Site, anna: int, path: str, credentials: tuple[str, str]) -> None:
    """Docker never retries a 401, and Harbor answers one when its database is down."""
    with broken_database(site):
        reply = site.ask("GET", path, [basic(*credentials)])
    assert (reply.status, reply.code) == (503, "UNAVAILABLE")
    assert reply.header("retry-after")


def test_an_outage_takes_no_right_from_a_token(site: Site, anna: int) -> None:
    token = site.token("repository:ships/app:pull", [basic("anna", PASSWORD)])
    with broken_database(site):
        for path in ("/v2/ships/app/manifests/latest", "/v2/"):
            assert site.ask("GET", path, [bearer(token)]).status == 503
        assert site.ask("GET", "/service/token?scope=repository:ships/app:pull").status == 503
        assert site.ask("GET", "/v2/", [bearer(signed(site, {"kid": "not-seen-yet"}))]).status == 503


def test_a_failure_that_can_not_be_counted_is_no_refusal_either(site: Site, anna: int) -> None:
    with broken_database(site, "INSERT"):
        assert site.ask("GET", "/v2/", [basic("anna", PASSWORD)]).status == 200
        assert site.ask("GET", "/v2/", [basic("anna", "wrong-again")]).status == 503


def test_ids_are_never_used_again(site: Site) -> None:
    """A token's subject may outlive its account."""

    def come_and_go(connection: Connection) -> list[int]:
        found = []
        for _ in range(3):
            found.append(users.create(connection, 0, username="guest", password_hash="!", email="guest@example.com"))
            users.remove(connection, found[-1])
        return found

    assert len(set(site.write(come_and_go))) == 3
