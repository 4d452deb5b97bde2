"""Other registries: a sound one is found sound, one that is broken on purpose is named with the step that breaks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mooring.cli.main import application
from tests.probe.peers import PASSWORD, USERNAME, Fleet, fleet, htpasswd


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Probed:
    code: int
    runs: Mapping[tuple[str, str], dict[str, Any]]
    output: str

    def fault(self, issuer: str, other: str = "") -> tuple[str, str]:
        """The step and the answer; empty where the push worked."""
        run = self.runs[issuer, other or issuer]
        return (run["step"] or "", run["fault"] or "")


def probe(registries: Fleet, url: str, *words: str, password: str | None = PASSWORD) -> Probed:
    environment = {
        "DOCKER_CONFIG": str(registries.directory),
        "MOORING_PROBE_USERNAME": "",
        "MOORING_PROBE_PASSWORD": "",
    }
    if password is not None:
        environment |= {"MOORING_PROBE_USERNAME": USERNAME, "MOORING_PROBE_PASSWORD": password}
    done = CliRunner().invoke(application, ["probe", url, *words, "--output", "json"], env=environment)
    found = json.loads(done.stdout)["runs"] if done.stdout else []
    code = done.exit_code if done.exception is None or isinstance(done.exception, SystemExit) else 2
    if password:
        assert password not in done.output
    return Probed(code, {(run["issuer"], run["endpoint"]): run for run in found}, f"{done.output}{done.exception}")


def pair(registries: Fleet, first: str, second: str, *words: str) -> Probed:
    return probe(registries, first, "--endpoint", first, "--endpoint", second, *words)


def basic(path: Path) -> dict[str, Any]:
    return {"auth": {"htpasswd": {"realm": "registry", "path": str(path)}}}


def test_distribution_open_to_all(registries: Fleet) -> None:
    url = registries.distribution("open")
    found = probe(registries, url, password=None)
    assert found.code == 0, found.output
    statuses = {step["name"]: step["status"] for step in found.runs[url, url]["steps"]}
    assert statuses["delete"] == 202
    assert not [step for step in found.runs[url, url]["steps"] if step["name"] == "abort"]


def test_distribution_with_passwords(registries: Fleet) -> None:
    url = registries.distribution("passwords", basic(htpasswd(registries.directory)))
    assert probe(registries, url).code == 0
    wrong = probe(registries, url, password="Wrong-password-1")
    assert wrong.code == 1
    assert wrong.fault(url)[0] == "upload"
    assert wrong.fault(url)[1].startswith("401")


def test_distribution_with_tokens(registries: Fleet) -> None:
    service = registries.tokens()
    url = registries.distribution("tokens", service.trusted())
    assert probe(registries, url).code == 0, "on another port of the same host"
    assert probe(registries, url, password="Wrong-password-1").code == 2, "no token: nothing could be tried"


def test_tokens_for_another_service(registries: Fleet) -> None:
    url = registries.distribution("tokens", registries.tokens(audience="another").trusted())
    found = probe(registries, url)
    assert found.code == 1
    step, fault = found.fault(url)
    assert step == "upload"
    assert fault.startswith("401")


def test_a_registry_that_believes_another_token_service(registries: Fleet) -> None:
    """As a replica that was given another certificate: the load balancer sends every second request to it."""
    service, other = registries.tokens(), registries.tokens()
    right = registries.distribution("right", service.trusted(), store="shared")
    wrong = registries.distribution("wrong", service.trusted(other), store="shared")
    found = pair(registries, right, wrong)
    assert found.code == 1
    assert found.fault(right) == ("", "")
    for issuer, endpoint in ((right, wrong), (wrong, right), (wrong, wrong)):
        assert found.fault(issuer, endpoint)[1].startswith("401"), (issuer, endpoint)


def test_two_with_different_secrets_and_one_store(registries: Fleet) -> None:
    """The state of an upload is signed with `http.secret`: the classical pair that works alone and not together."""
    first = registries.distribution("first", store="shared")
    second = registries.distribution("second", {"http": {"secret": "another"}}, store="shared")
    found = pair(registries, first, second)
    assert found.code == 1
    assert found.fault(first) == found.fault(second) == ("", "")
    for issuer, endpoint in ((first, second), (second, first)):
        step, fault = found.fault(issuer, endpoint)
        assert step in ("blob", "chunk"), fault
        assert "BLOB_UPLOAD" in fault


def test_two_that_are_one(registries: Fleet) -> None:
    first, second = (registries.distribution(name, store="shared") for name in ("first", "second"))
    assert pair(registries, first, second).code == 0


def test_two_with_stores_of_their_own(registries: Fleet) -> None:
    first, second = registries.distribution("first"), registries.distribution("second")
    found = pair(registries, first, second)
    assert found.code == 1
    assert found.fault(first) == found.fault(second) == ("", "")
    for issuer, endpoint in ((first, second), (second, first)):
        assert "BLOB_UPLOAD_UNKNOWN" in found.fault(issuer, endpoint)[1]


def test_read_only(registries: Fleet) -> None:
    url = registries.distribution("frozen", {"storage": {"maintenance": {"readonly": {"enabled": True}}}})
    found = probe(registries, url, password=None)
    assert found.code == 1
    step, fault = found.fault(url)
    assert step == "upload"
    assert fault.startswith("405")


def test_nobody_may_delete(registries: Fleet) -> None:
    url = registries.distribution("keeps", {"storage": {"delete": {"enabled": False}}})
    found = probe(registries, url, password=None)
    assert found.code == 0
    assert {step["name"]: step["status"] for step in found.runs[url, url]["steps"]}["delete"] == 405


@pytest.mark.parametrize("elsewhere", ["https://{}", "http://registry.example"], ids=["scheme", "host"])
def test_uploads_that_lead_elsewhere(registries: Fleet, elsewhere: str) -> None:
    """`http.host` that is not where clients come: they would follow, in vain."""
    plain = registries.distribution("plain")
    told = elsewhere.format(plain.removeprefix("http://"))
    url = registries.distribution("astray", {"http": {"host": told}})
    found = probe(registries, url, password=None)
    assert found.code == 1
    step, fault = found.fault(url)
    assert step == "location"
    assert f"the upload is to go on at {told}/v2/" in fault


def test_relative_locations_lead_nowhere_else(registries: Fleet) -> None:
    url = registries.distribution("relative", {"http": {"relativeurls": True}})
    assert probe(registries, url, password=None).code == 0


def zot_for(directory: Path, *actions: str) -> dict[str, Any]:
    policies = [{"users": [USERNAME], "actions": list(actions)}]
    return {
        "http": {
            "realm": "zot",
            "auth": {"htpasswd": {"path": str(htpasswd(directory))}},
            "accessControl": {"repositories": {"**": {"policies": policies}}},
        }
    }


def test_zot_open_to_all(registries: Fleet) -> None:
    url = registries.zot("open")
    found = probe(registries, url, password=None)
    assert found.code == 0, found.output


def test_zot_with_passwords(registries: Fleet) -> None:
    url = registries.zot("passwords", zot_for(registries.directory, "read", "create", "update", "delete"))
    found = probe(registries, url)
    assert found.code == 0, found.output
    wrong = probe(registries, url, password="Wrong-password-1")
    assert wrong.code == 1
    assert wrong.fault(url)[1].startswith("401")


def test_zot_that_lets_nobody_push(registries: Fleet) -> None:
    url = registries.zot("read-only", zot_for(registries.directory, "read"))
    found = probe(registries, url)
    assert found.code == 1
    step, fault = found.fault(url)
    assert step == "upload"
    assert fault.startswith("403")


def test_two_zots_with_stores_of_their_own(registries: Fleet) -> None:
    first, second = registries.zot("first"), registries.zot("second")
    found = pair(registries, first, second)
    assert found.code == 1
    assert found.fault(first) == found.fault(second) == ("", "")
    for issuer, endpoint in ((first, second), (second, first)):
        assert found.fault(issuer, endpoint)[1].startswith("404")
