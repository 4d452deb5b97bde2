"""A push over one endpoint and over pairs, against a registry that works and ones that do not."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from mooring.cli.main import application
from mooring.errors import Invalid, MooringError, Unavailable
from tests.api import Api
from tests.conftest import StartServer
from tests.doctor.standing import answering
from tests.server import Server


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def probe(server: Server, *words: str, password: str = "") -> Result:
    given = {"MOORING_PROBE_USERNAME": server.username, "MOORING_PROBE_PASSWORD": password or server.password}
    return CliRunner().invoke(application, ["probe", server.url, *words], env=given)


def test_a_registry_that_works(server: Server, admin: Api) -> None:
    done = probe(server, "--count", "2", "--output", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["pushes"], found["failed"]) == (2, 0)
    steps = [step["name"] for step in found["runs"][0]["steps"]]
    assert list(dict.fromkeys(steps)) == [
        "upload", "blob", "chunk", "mount", "manifest", "pull manifest", "pull blob", "delete",
    ]  # fmt: skip
    assert all(run["steps"][-1]["status"] == 202 for run in found["runs"]), "what was pushed is deleted"
    assert server.password not in done.output


def test_all_pairs_of_endpoints(server: Server) -> None:
    done = probe(server, "--endpoint", server.url, "--endpoint", server.url.replace("127.0.0.1", "localhost"))
    assert done.exit_code == 0, done.output
    assert len(done.stdout.strip().splitlines()) == 1 + 4


def test_the_broken_pair_is_named(server: Server, start_server: StartServer) -> None:
    """A replica with keys and bytes of its own: each works alone, and no pair does."""
    other = start_server(workers=1)
    given = ["--endpoint", server.url, "--endpoint", other.url, "--output", "junit"]
    done = CliRunner().invoke(
        application,
        ["probe", server.url, *given],
        env={"MOORING_PROBE_USERNAME": server.username, "MOORING_PROBE_PASSWORD": server.password},
    )
    assert done.exit_code == 1, done.output
    suite = ET.fromstring(done.stdout)
    broken = {case.get("name") for case in suite if case.find("failure") is not None}
    assert f"token of {server.url}, pushed with {other.url}" in broken
    assert server.url not in broken, "alone it works"


def test_prometheus_counts_by_pair(server: Server) -> None:
    done = probe(server, "--output", "prometheus")
    assert f'mooring_probe_pushes{{issuer="{server.url}",endpoint="{server.url}",outcome="done"}} 1\n' in done.stdout


def test_who_may_not_push_could_not_try(server: Server) -> None:
    done = probe(server, password="Wrong-password-1")
    assert isinstance(done.exception, Unavailable)
    assert "No endpoint gives a token: 401" in done.exception.text


def test_a_repository_that_is_not_there_is_a_failed_push(server: Server) -> None:
    done = probe(server, "--repository", "nosuch/probe", "--count", "5", "--max-failures", "2", "--output", "json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (found["pushes"], found["failed"]) == (2, 2)
    assert found["runs"][0]["step"] == "upload"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", Unavailable),
        (
            b'HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer realm="https://thief.example/token"\r\n\r\n',
            Invalid,
        ),
    ],
    ids=["no registry", "tokens on another host"],
)
def test_credentials_go_nowhere_else(answer: bytes, error: type[MooringError]) -> None:
    with answering(answer) as other:
        done = CliRunner().invoke(
            application,
            ["probe", f"http://127.0.0.1:{other.port}"],
            env={"MOORING_PROBE_USERNAME": "ci", "MOORING_PROBE_PASSWORD": "secret"},
        )
    assert isinstance(done.exception, error)
    assert other.heard, "it was asked"
    assert not [line for line in other.heard if line.startswith("authorization:")]
