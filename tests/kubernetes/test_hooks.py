"""helm with its hooks. Their Jobs run here as processes, with what the API server holds and their accounts' rights."""

import base64
import json
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.kubernetes.api import Object
from tests.kubernetes.jobs import Runner
from tests.kubernetes.pods import Pod
from tests.kubernetes.release import Release
from tests.next import AFTER, NEXT
from tests.programs import Refused
from tests.server import HOST, Server, free_port, processes, wait_until_ready

SECRET_JOB, MIGRATION, SECOND = "mooring-make-secret", "mooring-migrate-before", "mooring-migrate-after"
BROKEN = {"migrations": [{"name": "before", "hooks": ["pre-upgrade"], "weight": 10, "args": ["no-such-command"]}]}


IMPATIENT = {
    "migrations": [
        {"name": "before", "hooks": ["pre-upgrade"], "weight": 10, "args": ["migrate", "--phase", "before"]},
        {"name": "after", "hooks": ["post-upgrade"], "weight": 10, "args": ["migrate", "--phase", "after"]},
    ]
}
OLD_POD = """
    INSERT INTO replicas (name, version, started_at, seen_at, ready)
    VALUES ('old-pod', '0.0.1', 0, extract(epoch FROM now() + interval '1 hour') * 1000000, true)
"""
"""Of a version that does not say yet which schema it knows; it goes on beating."""


def test_an_install_makes_the_secret_then_migrates_and_leaves_no_hook_behind(
    release: Release, runner: Runner, changes: dict[str, Any]
) -> None:
    release.install("--timeout=60s", changes=changes)
    assert [(done.job, done.code) for done in runner.done] == [(SECRET_JOB, 0), (MIGRATION, 0)]
    assert "The database is current." in runner.done[1].output
    assert release.secret() is not None
    assert release.names("apis/batch/v1/jobs") == []
    assert release.names("api/v1/serviceaccounts") == ["mooring"]
    assert release.names("apis/rbac.authorization.k8s.io/v1/roles") == []
    assert release.names("apis/rbac.authorization.k8s.io/v1/rolebindings") == []
    assert release.names("api/v1/configmaps") == ["mooring"]
    with psycopg.connect(release.value("mooring-database", "url")) as connection:
        found = connection.execute("SELECT username FROM users").fetchall()
    assert found == [("admin",)]


def test_no_migration_prints_the_password(release: Release, runner: Runner, changes: dict[str, Any]) -> None:
    release.install("--timeout=60s", changes=changes)
    assert release.value("mooring-generated", "admin-password") not in "".join(done.output for done in runner.done)


def test_an_upgrade_and_a_rollback_keep_the_made_secret(
    release: Release, runner: Runner, changes: dict[str, Any]
) -> None:
    release.install("--timeout=60s", changes=changes)
    made = release.secret()
    release.upgrade("--timeout=60s", changes=changes | {"replicas": 3})
    assert runner.names == [SECRET_JOB, MIGRATION, SECRET_JOB, MIGRATION, SECOND]
    assert "Nothing was changed" in runner.done[2].output
    release.rollback(1, "--timeout=60s")
    assert release.secret() == made
    release.uninstall("--timeout=60s")
    assert release.secret() == made
    release.install("--timeout=60s", changes=changes)
    assert release.secret() == made


def test_a_failed_migration_stops_the_upgrade_before_any_pod_changes(
    release: Release, runner: Runner, changes: dict[str, Any]
) -> None:
    release.install("--timeout=60s", changes=changes)
    before = release.deployment()
    with pytest.raises(Refused, match="pre-upgrade hooks failed"):
        release.upgrade("--timeout=60s", changes=changes | BROKEN | {"replicas": 7})
    assert runner.done[-1].code != 0
    assert "no-such-command" in runner.done[-1].output
    assert release.deployment() == before
    assert release.history()[-1] == (2, "failed")
    assert MIGRATION in release.names("apis/batch/v1/jobs"), "its log is what explains the failure"
    release.upgrade("--timeout=60s", changes=changes | {"replicas": 7})
    assert release.deployment()["spec"]["replicas"] == 7


def test_the_second_phase_runs_after_the_new_pods_are_asked_for(
    release: Release, runner: Runner, changes: dict[str, Any]
) -> None:
    release.install("--timeout=60s", changes=changes)
    assert runner.names == [SECRET_JOB, MIGRATION]
    release.upgrade("--timeout=60s", changes=changes | {"replicas": 3})
    assert runner.names[2:] == [SECRET_JOB, MIGRATION, SECOND]
    assert [done.code for done in runner.done] == [0] * 5
    assert "The database is current." in runner.done[-1].output
    assert release.names("api/v1/serviceaccounts") == ["mooring"]


def test_the_second_phase_fails_while_older_pods_stay_and_names_them(
    release: Release, runner: Runner, changes: dict[str, Any]
) -> None:
    release.install("--timeout=60s", changes=changes)
    database = release.value("mooring-database", "url")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(OLD_POD)
    runner.module = NEXT
    with pytest.raises(Refused, match="post-upgrade hooks failed"):
        release.upgrade("--timeout=60s", changes=changes | IMPATIENT)
    assert [(done.job, done.code) for done in runner.done[-2:]] == [(MIGRATION, 0), (SECOND, 2)]
    assert f"Schema {AFTER} takes away what these replicas still need: old-pod." in runner.done[-1].output
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM replicas")
    release.upgrade("--timeout=60s", changes=changes | IMPATIENT)
    assert f"Applied {AFTER}." in runner.done[-1].output


def test_a_pod_of_the_deployment_serves_and_lets_the_made_password_in(
    release: Release, runner: Runner, changes: dict[str, Any], tmp_path: Path
) -> None:
    release.install("--timeout=60s", changes=changes | {"workers": 1})
    spec: Object = release.deployment()["spec"]["template"]["spec"]
    port = free_port()
    overrides = {"MOORING_HOST": HOST, "MOORING_PORT": str(port)}
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        pod = Pod(release.api, release.namespace, "mooring-0", spec, tmp_path / "pod", overrides)
        server = Server(port, tmp_path, log, pod.start(output))
    try:
        wait_until_ready(server, 60)
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert status(f"{server.url}{pod.container[name]['httpGet']['path']}") == 200
        assert token(server.url, release.value("mooring-generated", "admin-password"))
        assert ready(server.url)["replica"].startswith("mooring-0")
        assert "mooring-0" in executed(pod, tmp_path / "status", "cluster", "status")
    finally:
        code = server.stop()
    assert code == 0, server.tail()
    assert processes(server.process.pid) == []


def executed(pod: Pod, directory: Path, *words: str) -> str:
    """What `kubectl exec POD -- mooring WORDS` would print."""
    spec = pod.spec | {"containers": [pod.container | {"args": list(words)}]}
    process = replace(pod, spec=spec, directory=directory).start()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output.decode()
    return output.decode()


def status(url: str) -> int:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return int(answer.status)


def ready(url: str) -> Any:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/readyz", timeout=10) as answer:
        return json.load(answer)


def token(url: str, secret: str) -> str:
    request = urllib.request.Request(f"{url}/service/token?service=mooring&scope=repository:library/app:push,pull")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"admin:{secret}".encode()).decode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return str(json.load(answer)["token"])
