"""`mooring denials` and `mooring explain`, beside a registry that refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from typer.testing import CliRunner, Result

from mooring.access.explanation import REMEDIES
from mooring.cli.main import application
from mooring.cluster import heartbeat
from mooring.cluster.heartbeat import Pulse
from mooring.errors import MooringError
from mooring.observe.denials import log
from mooring.observe.denials.record import Denial, identity
from mooring.refusals import RULINGS, Reason
from tests.docs.pages import page
from tests.http.site import Site, basic, bearer
from tests.management.desk import PASSWORD, make_project, make_user

Mooring = Callable[..., Result]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("denials") / "data"


@pytest.fixture(scope="module")
def site(directory: Path) -> Iterator[Site]:
    with Site(directory) as site:
        yield site


@pytest.fixture
def mooring(site: Site, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Mooring:
    monkeypatch.delenv("MOORING_DATA", raising=False)

    def run(*arguments: str, typed: str = "") -> Result:
        site.run(site.parts.denials.flush(site.parts.database))
        return CliRunner().invoke(application, [*arguments, "--data", str(directory)], input=typed)

    return run


def refused_push(site: Site, user: str, project: str) -> str:
    reply = site.ask("POST", f"/v2/{project}/app/blobs/uploads/", [basic(user, PASSWORD)])
    assert reply.status == 403
    return str(reply.error["detail"]["request_id"])


def alive(site: Site, *names: str, **pulse: Any) -> None:
    for name in names:
        told = {"ready": True, "keys": sorted(site.parts.keys.keyring.keys), **pulse}
        site.write(heartbeat.beat, site.now, name, Pulse(**told))


@pytest.fixture
def replicas(site: Site) -> Iterator[None]:
    alive(site, "r-1/1", "r-2/1")
    yield
    for each in site.read(heartbeat.known):
        site.write(heartbeat.leave, each.name)


def test_lists_who_was_refused(site: Site, mooring: Mooring) -> None:
    _, bob = make_user(site, "bob")
    project = make_project(site, members={bob: 3})
    number = refused_push(site, bob, project)
    listed = mooring("denials", "--project", project)
    columns, row = listed.stdout.splitlines()
    assert columns.split("\t") == ["time", "times", "reason", "account", "wanted", "from", "replica", "request"]
    assert row.split("\t")[1:5] == ["1", "no_permission", bob, f"push {project}/app"]
    assert row.split("\t")[7] == number
    for options, there in (
        (("--subject", bob), True),
        (("--subject", "eve"), False),
        (("--repository", f"{project}/app", "--reason", "no_permission"), True),
        (("--reason", "expired", "--repository", f"{project}/app"), False),
        (("--replica", site.parts.replica, "--project", project), True),
        (("--request-id", number, "--since", "2h"), True),
        (("--request-id", number, "--since", "0s"), False),
        (("--request-id", number, "--since", "2026-01-01T00:00:00"), True),
    ):
        found = json.loads(mooring("denials", *options, "--output", "json").stdout)
        assert [each["request_id"] for each in found] == [number] * there, options


def test_adds_up_by_reason(site: Site, mooring: Mooring) -> None:
    _, bob = make_user(site, "bob")
    project = make_project(site)

    def counted() -> int:
        groups = json.loads(mooring("denials", "--by-reason", "--output", "json").stdout)
        return sum(each["occurrences"] for each in groups if each["reason"] == "no_permission")

    before = counted()
    for _ in range(30):
        refused_push(site, bob, project)
    assert counted() == before + 30


def test_explains_a_refusal(site: Site, mooring: Mooring) -> None:
    _, bob = make_user(site, "bob")
    project = make_project(site, members={bob: 3})
    number = refused_push(site, bob, project)
    told = mooring("explain", number).stdout
    assert told.startswith(f"no_permission: {bob} with the role guest may not push to {project}/app.\n")
    for part in (
        f"request  POST /v2/{project}/app/blobs/uploads/, answered 403\n",
        f"replica  {site.parts.replica}\n",
        "Rights in this project: pull, by the role guest.\n",
        f"What to do: {REMEDIES[Reason.NO_PERMISSION]}\n",
        "Read: docs/refusals.md#no_permission\n",
    ):
        assert part in told
    (row,) = json.loads(mooring("explain", number, "--output", "json").stdout)
    assert (row["reason"], row["request_id"], row["facts"]["may"]) == ("no_permission", number, ["pull"])


def test_says_where_a_number_is_not_kept(mooring: Mooring) -> None:
    tried = mooring("explain", "0123456789abcdef")
    assert isinstance(tried.exception, MooringError)
    assert "No refusal with the number 0123456789abcdef is kept." in tried.exception.text


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_explanation(site: Site, mooring: Mooring, reason: Reason) -> None:
    now = site.now
    number = f"request-of-{reason}"
    facts = {"kid": "K", "exp": 1, "nbf": 2**62, "iat": -5, "time": now // 1_000_000, "may": [], "failures": 3}
    row = Denial(identity(now), now, now, reason, RULINGS[reason].status, request_id=number, facts=facts, occurrences=7)
    site.write(log.store, [row.row()])
    told = mooring("explain", number)
    assert told.exit_code == 0, told.exception
    assert f"What to do: {REMEDIES[reason]}\nRead: docs/refusals.md#{reason}\n" in told.stdout
    assert "7 times until" in told.stdout
    section = page("docs/refusals.md").sections[reason]
    assert plain(REMEDIES[reason]) in plain(section), "the page says the same"


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


@pytest.mark.usefixtures("replicas")
def test_a_good_token_is_taken_everywhere(site: Site, mooring: Mooring) -> None:
    _, alice = make_user(site, "alice")
    project = make_project(site, members={alice: 2})
    token = site.token(f"repository:{project}/app:pull,push", [basic(alice, PASSWORD)])
    told = mooring("explain", typed=token)
    assert told.exit_code == 0
    kid = site.parts.keys.keyring.signer.kid
    for part in (
        f"signed by     {kid} (active)",
        f"account       {alice}",
        "in 30 min",
        f"granted       repository:{project}/app:pull,push",
        f"may now       pull, push on {project}/app",
        "r-1/1 takes it.",
        "r-2/1 takes it.",
    ):
        assert part in told.stdout
    for part in token.split("."):
        assert part not in told.stdout
    answer = json.dumps({"token": token, "expires_in": 1800})
    for typed in (f"Bearer {token}\n", answer):
        assert mooring("explain", typed=typed).exit_code == 0
    told = json.loads(mooring("explain", "--output", "json", typed=token).stdout)
    assert (told["sound"], told["key_state"], told["may"]) == (True, "active", [f"pull, push on {project}/app"])
    assert token.rpartition(".")[2] not in json.dumps(told)


@pytest.mark.usefixtures("replicas")
def test_a_foreign_key_is_found_where_it_is(site: Site, mooring: Mooring) -> None:
    foreign = ECKey.generate_key("P-256")
    header, claims = {"alg": "ES256", "kid": foreign.thumbprint()}, {"iss": "mooring", "aud": "mooring", "sub": "x"}
    token = jwt.encode(header, claims, foreign, algorithms=["ES256"])
    alive(site, "r-3/1", keys=[foreign.thumbprint()])
    told = mooring("explain", typed=token)
    assert told.exit_code == 1
    assert "not in the keyring" in told.stdout
    assert "r-1/1 refuses it (unknown_kid)." in told.stdout
    assert "r-3/1 takes it. It says that it holds this key, which is not in the database" in told.stdout


@pytest.mark.usefixtures("replicas")
def test_each_replica_has_its_own_reason(site: Site, mooring: Mooring) -> None:
    alive(site, "r-3/1", keys=[])
    alive(site, "r-4/1", ready=False, failed={"master_key": "It is another one."}, keys=[])
    alive(site, "worker/1", role=heartbeat.WORKER)
    token = site.token(headers=[basic("admin", "Harbour-Master-1")])
    told = json.loads(mooring("explain", "--output", "json", typed=token).stdout)
    assert {each["replica"]: (each["takes"], each["reason"]) for each in told["opinions"]} == {
        "r-1/1": (True, ""),
        "r-2/1": (True, ""),
        "r-3/1": (True, ""),
        "r-4/1": (False, "not_ready"),
    }
    assert "has not loaded the key yet" in next(each["text"] for each in told["opinions"] if each["replica"] == "r-3/1")


@pytest.mark.usefixtures("replicas")
def test_judges_as_the_registry_does(site: Site, mooring: Mooring) -> None:
    """The same reason from `explain` as from a request."""
    signer = site.parts.keys.keyring.signer
    now = site.parts.clock.seconds()
    sound = {"iss": "mooring", "aud": "mooring", "sub": "admin", "nbf": now, "iat": now, "exp": now + 600, "access": []}
    sound["mooring"] = {"subject": "user:1"}
    for changed, expected in (
        ({"exp": now - 100}, "expired"),
        ({"nbf": now + 100}, "not_yet_valid"),
        ({"aud": "harbor-registry"}, "wrong_audience"),
        ({"iss": "harbor-token-issuer"}, "wrong_issuer"),
        ({"access": 5}, "malformed"),
    ):
        header = {"alg": "ES256", "kid": signer.kid}
        token = jwt.encode(header, sound | changed, signer.key, algorithms=["ES256"])
        reply = site.ask("GET", "/v2/", [bearer(token)])
        told = json.loads(mooring("explain", "--output", "json", typed=token).stdout)
        assert {each["reason"] for each in told["opinions"]} == {reply.reason} == {expected}


@pytest.mark.usefixtures("replicas")
@pytest.mark.parametrize("typed", ["abc", "a.b.c", "eyJ9.eyJ9.", '{"token": 5}', "\x1b[31m.\x1b]0;x\x07.z", "é" * 100])
def test_what_is_no_token_is_said_to_be_none(mooring: Mooring, typed: str) -> None:
    told = mooring("explain", typed=typed)
    assert told.exit_code == 1, told.exception
    assert "This is no token that can be read" in told.stdout
    assert "\x1b" not in told.stdout


def test_a_made_up_token_leaves_the_terminal_alone(mooring: Mooring) -> None:
    key = ECKey.generate_key("P-256")
    claims = {"iss": "\x1b[31mred", "exp": 10**30, "iat": "soon", "access": [{"type": "\x1b[2J"}, 5], "sub": ["a"]}
    token = jwt.encode({"alg": "ES256", "kid": "\x1b]0;title\x07"}, claims, key, algorithms=["ES256"])
    told = mooring("explain", typed=token)
    assert (told.exit_code, "\x1b" in told.stdout, "\x07" in told.stdout) == (1, False, False)


def test_an_empty_input_is_refused(mooring: Mooring) -> None:
    assert isinstance(mooring("explain", typed=" \n").exception, MooringError)
