"""What a person or a program sees: the forms of the result, the exit codes, an interruption, pulls from a bucket."""

import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner, Result

from mooring.cli.main import application
from tests.api import Api
from tests.probe.relay import Answer, Asked, Host, host, relay
from tests.server import Server, free_port, inherited


@pytest.fixture
def environment(server: Server, tmp_path: Path) -> Mapping[str, str]:
    given = {"MOORING_PROBE_USERNAME": server.username, "MOORING_PROBE_PASSWORD": server.password}
    return {**inherited(), "DOCKER_CONFIG": str(tmp_path), **given}


def probe(environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mooring", "probe", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def quickly(environment: Mapping[str, str], *words: str) -> Result:
    """The same within this process, without the second that an import takes."""
    return CliRunner().invoke(application, ["probe", *words], env=environment)


def interruptible(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Also where the tests themselves are not, as in a shell's background: that goes on to whatever they start."""
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread of ours forks
    )


def test_exit_codes(server: Server, environment: Mapping[str, str]) -> None:
    """And a line that says why, with no password in it."""
    good = probe(environment, server.url)
    assert good.returncode == 0, good.stderr
    failed = probe(environment, server.url, "--repository", "nosuch/probe")
    assert failed.returncode == 1
    assert "upload at" in failed.stderr
    assert "404 NAME_UNKNOWN: " in failed.stderr
    assert "(reason: no_such_project, request: " in failed.stderr
    assert "{" not in failed.stderr
    nobody = probe(environment, f"http://127.0.0.1:{free_port()}")
    assert nobody.returncode == 2
    assert "is not a registry's" in nobody.stderr
    wrong = probe({**environment, "MOORING_PROBE_PASSWORD": "Wrong-password-1"}, server.url)
    assert wrong.returncode == 2
    assert "No endpoint gives a token: 401" in wrong.stderr
    unknown = probe(environment, server.url, "--nonsense")
    assert unknown.returncode == 2
    for done in (good, failed, nobody, wrong):
        assert server.password not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_password_on_standard_input(server: Server, environment: Mapping[str, str]) -> None:
    plain = {name: value for name, value in environment.items() if not name.startswith("MOORING_PROBE")}
    command = [sys.executable, "-m", "mooring", "probe", server.url, "--username", server.username, "--password-stdin"]
    done = subprocess.run(
        command, env=plain, input=f"{server.password}\n", capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_identity_token_that_docker_keeps(server: Server, environment: Mapping[str, str], tmp_path: Path) -> None:
    """`docker login` keeps one where a registry gives it, as Mooring does, and no password. The doctor takes it too."""
    form = {
        "grant_type": "password",
        "service": "mooring",
        "client_id": "docker",
        "access_type": "offline",
        "username": server.username,
        "password": server.password,
    }
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{server.url}/service/token", urllib.parse.urlencode(form).encode()) as answer:
        token = json.load(answer)["refresh_token"]
    name = b64encode(f"{server.username}:".encode()).decode()
    kept = {"auths": {server.url.removeprefix("http://"): {"auth": name, "identitytoken": token}}}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    none = {"MOORING_PROBE_USERNAME": None, "MOORING_PROBE_PASSWORD": None, "MOORING_DOCTOR_USERNAME": None}
    done = CliRunner().invoke(application, ["probe", server.url], env={**environment, **none})
    assert done.exit_code == 0, done.output
    words = ["doctor", server.url, "--samples", "2", "--output", "json"]
    examined = CliRunner().invoke(application, words, env={**environment, **none})
    report = json.loads(examined.stdout)
    assert report["credentials"]["name"] == server.username
    assert [gap["why"] for gap in report["gaps"]] == [
        "docker keeps a token for this registry and no password: give --username"
    ]
    assert token not in examined.stdout


def test_every_form_is_what_it_says(server: Server, environment: Mapping[str, str]) -> None:
    words = (server.url, "--count", "2", "--interval", "0.1", "--output")
    document = json.loads(quickly(environment, *words, "json").stdout)
    assert (document["pushes"], document["failed"], len(document["runs"])) == (2, 0, 2)
    suite = ET.fromstring(quickly(environment, *words, "junit").stdout)
    assert (suite.tag, suite.get("tests"), suite.get("failures"), len(suite.findall("testcase"))) == (
        "testsuite", "2", "0", 2,
    )  # fmt: skip
    families = {
        each.name: each for each in text_string_to_metric_families(quickly(environment, *words, "prometheus").stdout)
    }
    assert set(families) == {"mooring_probe_pushes", "mooring_probe_seconds"}
    assert sum(sample.value for sample in families["mooring_probe_pushes"].samples) == 2


def test_what_failed_is_in_every_form(server: Server, environment: Mapping[str, str]) -> None:
    words = (server.url, "--repository", "nosuch/probe", "--output")
    (run,) = json.loads(quickly(environment, *words, "json").stdout)["runs"]
    assert (run["ok"], run["step"], run["at"]) == (False, "upload", server.url)
    suite = ET.fromstring(quickly(environment, *words, "junit").stdout)
    (failure,) = suite.iter("failure")
    assert failure.get("message") == f"upload at {server.url}"
    shown = quickly(environment, *words, "prometheus").stdout
    (pushes, _) = text_string_to_metric_families(shown)
    assert {sample.labels["outcome"]: sample.value for sample in pushes.samples} == {"done": 0, "failed": 1}


def test_an_interruption_shows_what_was_found_and_cleans_up(
    server: Server, environment: Mapping[str, str], admin: Api
) -> None:
    repository = f"library/probe-{secrets.token_hex(4)}"
    command = [sys.executable, "-m", "mooring", "probe", server.url, "--count", "100000", "--repository", repository]
    with interruptible([*command, "--output", "json"], environment) as running:
        try:
            assert running.stderr is not None
            for _ in range(3):
                assert running.stderr.readline().startswith("ok")
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 0, err
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert json.loads(out)["pushes"] >= 3
    assert admin.request("GET", f"/v2/{repository}/tags/list").json["tags"] == []


def test_an_interruption_before_anything_is_no_success(environment: Mapping[str, str]) -> None:
    def wait(_asked: Asked, _body: bytes) -> Answer:
        os.kill(running.pid, signal.SIGINT)
        return Answer(503, [], b"")

    with host(wait) as silent:
        command = [sys.executable, "-m", "mooring", "probe", silent.url]
        with interruptible(command, environment) as running:
            try:
                _, said = running.communicate(timeout=60)
            finally:
                running.kill()
    assert "Interrupted" in said
    assert running.returncode == 2


@contextmanager
def redirecting(server: Server, location: str = "", *, broken: bool = False) -> Iterator[tuple[Host, Host]]:
    """A registry that sends pulls of blobs to a bucket, which refuses who brings credentials, as S3 does."""
    kept: dict[str, bytes] = {}

    def give(asked: Asked, _body: bytes) -> Answer:
        if "authorization" in asked.headers:
            return Answer(400, [], b"only one way of authentication")
        return Answer(200, [], kept[asked.path.partition("?")[0]])

    with host(give) as bucket:

        def change(asked: Asked, answer: Answer) -> Answer:
            if asked.method == "GET" and "/blobs/sha256:" in asked.path and answer.status == 200:
                path = "/" + asked.path.rpartition("/")[2]
                kept[path] = answer.body[:-1] + b"?" if broken else answer.body
                return Answer(307, [("location", location or f"{bucket.url}{path}?signature=S3CRET")], b"")
            return answer

        with relay(server.url, change) as registry:
            yield registry, bucket


def test_pulls_from_a_bucket_are_followed_and_compared(server: Server, environment: Mapping[str, str]) -> None:
    with redirecting(server) as (registry, bucket):
        done = quickly(environment, registry.url, "--allow-realm", server.url, "--output", "json")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert len(bucket.asked) == 3
    assert not [asked for asked in bucket.asked if "authorization" in asked.headers]
    assert "S3CRET" not in done.stdout + done.stderr


def test_a_bucket_with_other_bytes_is_a_fault(server: Server, environment: Mapping[str, str]) -> None:
    with redirecting(server, broken=True) as (registry, _):
        done = quickly(environment, registry.url, "--allow-realm", server.url)
    assert done.exit_code == 1
    assert "bytes came back that are not the ones pushed" in done.output


def test_a_bucket_that_is_away_is_named_without_its_signature(server: Server, environment: Mapping[str, str]) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with redirecting(server, f"{away}/blob?signature=S3CRET") as (registry, _):
        done = quickly(environment, registry.url, "--allow-realm", server.url)
    assert done.exit_code == 1
    assert f"redirected at {away}" in done.stderr
    assert "S3CRET" not in done.stdout + done.stderr


def test_a_pull_that_leads_to_no_address_is_said(server: Server, environment: Mapping[str, str]) -> None:
    with redirecting(server, "http://[bucket/blob?signature=S3CRET") as (registry, _):
        done = quickly(environment, registry.url, "--allow-realm", server.url)
    assert done.exit_code == 1, done.exception
    assert "the pull is to go on at http://[bucket/blob: no address" in done.stderr
    assert "S3CRET" not in done.stdout + done.stderr


def test_a_pull_that_goes_round_in_circles_is_said(server: Server, environment: Mapping[str, str]) -> None:
    def answer(asked: Asked, _body: bytes) -> Answer:
        return Answer(307, [("location", asked.path)], b"")

    with host(answer) as circle, redirecting(server, f"{circle.url}/blob") as (registry, _):
        done = quickly(environment, registry.url, "--allow-realm", server.url)
    assert done.exit_code == 1
    assert f"redirected at {circle.url}: the pull was sent on more than 5 times" in done.stderr
    assert len(circle.asked) == 5


def test_a_push_that_breaks_off_leaves_no_upload(server: Server, environment: Mapping[str, str]) -> None:
    def change(asked: Asked, answer: Answer) -> Answer:
        return Answer(500, [], b"") if asked.method == "PATCH" else answer

    with relay(server.url, change) as registry:
        done = quickly(environment, registry.url, "--allow-realm", server.url, "--output", "json")
    assert done.exit_code == 1
    (run,) = json.loads(done.stdout)["runs"]
    assert run["step"] == "chunk"
    aborts = [step for step in run["steps"] if step["name"] == "abort"]
    assert [step["status"] for step in aborts] == [204]
