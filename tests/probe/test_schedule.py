"""The registry pushes to itself: what it finds, what it tells, and what it leaves."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pysqlite3 import dbapi2 as sqlite

from mooring.probe import schedule
from mooring.probe.schedule import newest, note
from mooring.probe.tables import probes
from tests import server as servers
from tests.http.site import Site
from tests.server import Server, free_port

INTERVAL = 1


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = {
        "MOORING_PORT": str(port),
        "MOORING_ADDRESS": url,
        "MOORING_EXTERNAL_URL": url,
        "MOORING_PROBE_INTERVAL_SECONDS": str(INTERVAL),
    }
    data = tmp_path_factory.mktemp("probed") / "data"
    server = servers.launch(data, port, 2, given)
    servers.wait_until_ready(server, 120)
    yield server
    server.kill()


def metrics(server: Server) -> dict[tuple[str, str], float]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{server.url}/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    found = (sample for family in families for sample in family.samples if family.name.startswith("mooring_probe"))
    return {(sample.name, sample.labels.get("outcome", "")): sample.value for sample in found}


def until(server: Server, holds: Callable[[dict[tuple[str, str], float]], bool]) -> dict[tuple[str, str], float]:
    end = time.monotonic() + 60
    while not holds(found := metrics(server)):
        assert time.monotonic() < end, f"{found}\n{server.tail()}"
        time.sleep(0.1)
    return found


def rows(server: Server, query: str) -> list[tuple[object, ...]]:
    with sqlite.connect(server.data / "mooring.db") as database:
        found = database.execute(query).fetchall()
    database.close()
    return list(found)


def test_a_sound_registry_finds_nothing_and_cleans_up(probed: Server) -> None:
    began = time.time()
    found = until(probed, lambda it: it["mooring_probe_runs_total", "ok"] >= 2)
    assert found["mooring_probe_runs_total", "failed"] == 0
    assert found["mooring_probe_last_failed", ""] == 0
    assert 0 < found["mooring_probe_seconds", ""] < 20
    assert abs(found["mooring_probe_last_success_timestamp_seconds", ""] - began) < 60
    # The public address, and the one replica with itself.
    assert {row[0] for row in rows(probed, "SELECT pushes FROM probes")} == {2}
    tags = "SELECT tags.name FROM tags JOIN repositories ON repositories.id = tags.repository_id"
    assert len(rows(probed, tags)) <= 1, "only that of a push that is under way"
    assert len(rows(probed, "SELECT name FROM robots")) <= 1, "each round's account goes with it"


def test_what_it_pushes_with_may_do_nothing_else(probed: Server) -> None:
    (given,) = {str(row[0]) for row in rows(probed, "SELECT public FROM projects WHERE name = 'mooring-probe'")}
    assert given == "0"
    end = time.monotonic() + 30
    while not (robots := rows(probed, "SELECT permissions FROM robots")):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert str(robots[0][0]).count("namespace") == 1
    assert '"namespace": "mooring-probe"' in str(robots[0][0])


def test_a_registry_that_can_not_be_reached_where_its_clients_do(probed: Server) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    before = until(probed, lambda it: it["mooring_probe_runs_total", "ok"] >= 1)
    probed.execute(
        "INSERT INTO configuration (version, values_set, changed_by, changed_at) "
        f"SELECT coalesce(max(version), 0) + 1, '{{\"probe_url\": \"{nowhere}\"}}', 'a test', 1 FROM configuration"
    )
    found = until(probed, lambda it: it["mooring_probe_last_failed", ""] == 1)
    assert found["mooring_probe_runs_total", "failed"] >= 1
    success = "mooring_probe_last_success_timestamp_seconds"
    assert found[success, ""] >= before[success, ""], "when it last worked is still known"
    assert nowhere in str(rows(probed, "SELECT fault FROM probes WHERE fault != '' LIMIT 1")[0][0])
    assert '"event": "probe_failed"' in probed.tail()
    probed.execute(
        "INSERT INTO configuration (version, values_set, changed_by, changed_at) "
        "SELECT max(version) + 1, '{}', 'a test', 1 FROM configuration"
    )
    until(probed, lambda it: it["mooring_probe_last_failed", ""] == 0)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as made:
        yield made


def test_it_is_off_unless_it_is_wanted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "SETTLE_SECONDS", 0)
    site.run(site.parts.prober.turn())
    assert site.read(newest) is None


def test_old_rounds_go(site: Site) -> None:
    site.write(note, site.now - schedule.KEPT - 1, "one", 1.0, 1, "")
    site.write(note, site.now, "one", 1.0, 1, "refused")
    last = site.read(newest)
    assert last is not None
    assert last.fault == "refused"
    assert last.last_success_at is not None, "known though its row is gone"
    assert site.read(lambda connection: len(connection.execute(probes.select()).all())) == 1


def test_a_ring_has_every_replica_on_both_sides() -> None:
    found = schedule.ring(["a", "b", "c"])
    assert sorted(first for first, _ in found) == sorted(other for _, other in found) == ["a", "b", "c"]
    assert schedule.ring(["a"]) == (("a", "a"),)
    assert schedule.ring([]) == ()
