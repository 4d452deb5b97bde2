"""Replicas that are not of the cluster: they start, are not ready, and are named with the reason in plain words."""

import json
import os
import time
from collections.abc import Iterator

import pytest

from tests.postgresql import PostgreSQL
from tests.replicas.cluster import new_key
from tests.replicas.command import Said
from tests.replicas.crew import Crew, ask, failed, gathered, pull, push, wait_for_failure

pytestmark = pytest.mark.replicas

WRONG_KEY = "The master key is not the one that this database was made with"


@pytest.fixture(scope="module")
def crew(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Two replicas that are right."""
    with gathered(tmp_path_factory.mktemp("crew"), postgresql) as made:
        made.start("registry-1", "registry-2")
        yield made


def status(crew: Crew, *names: str) -> Said:
    """Once all of these were seen, and none of another test lives."""
    end = time.monotonic() + 60
    while True:
        rows = json.loads(crew.command("cluster", "status", "--json").text)
        if {row["name"].partition("/")[0] for row in rows} == set(names):
            return crew.command("cluster", "status")
        assert time.monotonic() < end, rows
        time.sleep(0.2)


def test_status_of_three_of_which_one_was_given_a_wrong_master_key(crew: Crew) -> None:
    stray = crew.launch("registry-3", MOORING_MASTER_KEY=new_key())
    assert WRONG_KEY in wait_for_failure(stray, "master_key")
    said = status(crew, "registry-1", "registry-2", "registry-3")
    assert said.code == 1
    (reason,) = (line for line in said.text.splitlines() if ": master_key: " in line)
    assert reason.startswith("registry-3/")
    assert WRONG_KEY in reason
    rows = {line.partition("/")[0]: line.split("\t") for line in said.text.splitlines()[1:] if "\t" in line}
    assert {name: row[4] for name, row in rows.items()} == {
        "registry-1": "yes",
        "registry-2": "yes",
        "registry-3": "no",
    }
    answer = ask(stray.port, "GET", "/v2/")
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    # It holds nobody up: a key becomes active without it, and the others serve.
    kid = crew.command("keys", "rotate", "--quiet").text.strip()
    end = time.monotonic() + 30
    while crew.execute(f"SELECT 1 FROM signing_keys WHERE kid = '{kid}' AND state = 'active'") == 0:
        assert time.monotonic() < end, "the new key waits for a replica that does not serve"
        time.sleep(0.2)
    push(crew.replicas[0].port, "beside-a-stray")
    pull(crew.replicas[1].port, "beside-a-stray")
    stray.stop()
    assert status(crew, "registry-1", "registry-2").code == 0


def test_a_database_of_another_cluster_than_the_store(crew: Crew, postgresql: PostgreSQL) -> None:
    """One that was empty, and one that has a registry of its own."""
    empty = crew.launch("on-an-empty-database", MOORING_DATABASE_URL=postgresql.create())
    assert "belongs to another registry" in wait_for_failure(empty, "store")
    assert "belongs to another registry" in empty.log.read_text()
    other = crew.directory / "other"
    other.mkdir()
    with gathered(other, postgresql) as others:
        (right,) = others.start("right")
        stray = others.launch("stray", MOORING_STORE=crew.environment["MOORING_STORE"])
        assert "belongs to another registry" in wait_for_failure(stray, "store")
        assert ask(stray.port, "GET", "/v2/").status == 503
        assert failed(right) == {}
    empty.stop()
    assert failed(crew.replicas[0]) == {}


def test_two_servers_under_one_name_are_told_apart(crew: Crew) -> None:
    twins = crew.start("twin", "twin")
    end = time.monotonic() + 30
    while not all("name" in (twin.readiness() or {}).get("warnings", {}) for twin in twins):  # type: ignore[operator]
        assert time.monotonic() < end, [twin.readiness() for twin in twins]
        time.sleep(0.2)
    for twin in twins:
        found = twin.readiness()
        assert found is not None
        assert found["ready"] is True
    assert len({str((twin.readiness() or {})["replica"]) for twin in twins}) == 2
    assert crew.execute("SELECT 1 FROM replicas WHERE name LIKE 'twin/%'") == 2
    said = crew.command("cluster", "status")
    host = os.uname().nodename
    assert f"2 servers call themselves twin, on {host} and {host}" in said.text
    for twin in twins:
        twin.stop()
