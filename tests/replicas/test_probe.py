"""A probe past the load balancer: silent over a sound cluster, and naming the replica that has a key of its own."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mooring.cli.main import application
from tests.postgresql import PostgreSQL
from tests.replicas.cluster import Cluster
from tests.replicas.crew import Crew, ask, gathered
from tests.replicas.replica import Replica
from tests.server import HOST, PASSWORD, USERNAME, free_port

pytestmark = pytest.mark.replicas


def url(replica: Replica) -> str:
    return f"http://{HOST}:{replica.port}"


def probe(directory: Path, through: str, replicas: list[Replica], *words: str) -> Result:
    endpoints = [word for replica in replicas for word in ("--endpoint", url(replica))]
    given = {"MOORING_PROBE_USERNAME": USERNAME, "MOORING_PROBE_PASSWORD": PASSWORD, "DOCKER_CONFIG": str(directory)}
    return CliRunner().invoke(application, ["probe", through, *endpoints, *words], env=given)


def test_a_sound_cluster_of_three(cluster: Cluster) -> None:
    done = probe(cluster.directory, cluster.url, cluster.replicas, "--output", "json")
    assert done.exit_code == 0, done.output
    assert (json.loads(done.stdout)["pushes"], json.loads(done.stdout)["failed"]) == (9, 0)
    again = probe(cluster.directory, cluster.url, [], "--count", "5")
    assert again.exit_code == 0, again.output


def test_the_one_of_three_that_has_a_key_of_its_own(crew: Crew, postgresql: PostgreSQL, tmp_path: Path) -> None:
    """It answers under the same name, and its own database has other keys: every pair with it fails, and no other."""
    one, two = crew.start("registry-1", "registry-2")
    (tmp_path / "foreign").mkdir()
    with gathered(tmp_path / "foreign", postgresql) as others:
        (foreign,) = others.start("registry-3")
        done = probe(tmp_path, url(one), [one, two, foreign], "--output", "json")
    assert done.exit_code == 1, done.output
    runs = {(run["issuer"], run["endpoint"]): run for run in json.loads(done.stdout)["runs"]}
    broken = {pair for pair, run in runs.items() if not run["ok"]}
    mixed = {(a, b) for a in runs_of(runs) for b in runs_of(runs) if (a == url(foreign)) != (b == url(foreign))}
    assert broken == mixed
    assert len(runs) == 9
    for pair in broken:
        assert "unknown_kid" in runs[pair]["fault"], runs[pair]


def runs_of(runs: Mapping[tuple[str, str], object]) -> set[str]:
    return {issuer for issuer, _ in runs}


def test_the_scheduled_probe_tries_the_replicas_in_pairs(crew: Crew) -> None:
    for name in ("registry-1", "registry-2", "registry-3"):
        port = free_port()
        given = {"MOORING_ADDRESS": f"http://{HOST}:{port}", "MOORING_PROBE_INTERVAL_SECONDS": "2"}
        replica = Replica(name, port, {**crew.environment, **given}, crew.directory)
        crew.replicas.append(replica)
        replica.launch()
    for replica in crew.replicas:
        replica.wait_until_ready()
    end = time.monotonic() + 120
    # Through the first one as the public address, and each with another one.
    while crew.execute("SELECT 1 FROM probes WHERE pushes = 4 AND fault = ''") < 2:
        assert time.monotonic() < end, [replica.log.read_text()[-2000:] for replica in crew.replicas]
        time.sleep(0.2)
    shown = ask(crew.replicas[-1].port, "GET", "/metrics").body.decode()
    assert "mooring_probe_last_failed 0.0" in shown
    assert "mooring_probe_last_success_timestamp_seconds " in shown
