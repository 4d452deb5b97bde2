"""A Mooring, whose replicas say themselves what is wrong."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mooring.cli.main import application
from tests.conftest import StartServer
from tests.server import Server

DEADLINE = 20


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def doctor(server: Server, *words: str) -> tuple[int, Any]:
    given = {"MOORING_DOCTOR_USERNAME": server.username, "MOORING_DOCTOR_PASSWORD": server.password}
    options = ["doctor", server.url, "--samples", "4", "--output", "json", *words]
    done = CliRunner().invoke(application, options, env=given)
    assert done.exit_code in {0, 1}, (done.output, done.exception)
    return done.exit_code, json.loads(done.output)


def test_a_sound_one_has_no_findings(start_server: StartServer) -> None:
    """One of its own: other tests show tokens to the common one that nobody else could make."""
    server = start_server(workers=2)
    code, report = doctor(server, "--core", server.url)
    assert (code, report["findings"]) == (0, [])
    states = {check["id"]: check["state"] for check in report["checks"]}
    assert {name for name, state in states.items() if state != "clear"} == {"store", "certificates"}
    assert {"answers", "replicas", "replica-tokens", "members", "configuration", "queues", "refusals"} <= set(states)
    assert report["gaps"] == []


def test_without_credentials_no_token_is_said_to_be_taken(server: Server) -> None:
    code, report = doctor(server, "--anonymous")
    assert code == 0
    (check,) = [each for each in report["checks"] if each["id"] == "replica-tokens"]
    assert check["state"] == "missing"


def test_strangers_behind_one_address_are_named(server: Server, start_server: StartServer) -> None:
    """Two registries of their own, taken for replicas of one."""
    other = start_server(workers=1)
    code, report = doctor(server, "--core", other.url)
    titles = [finding["title"] for finding in report["findings"]]
    assert code == 1
    assert "Replicas publish different signing keys" in titles


def test_a_replica_that_is_not_ready_says_why(start_server: StartServer) -> None:
    broken = start_server(workers=1)
    shutil.rmtree(broken.data / "objects")
    end = time.monotonic() + DEADLINE
    while True:
        code, report = doctor(broken)
        if code == 1:
            break
        assert time.monotonic() < end
    (finding,) = report["findings"]
    assert finding["title"].endswith("is not ready")
    assert any(line.startswith("store: ") for line in finding["evidence"]), finding
