"""Each condition, from what the database knows of a cluster; and none in a sound one."""

from collections.abc import Mapping

import pytest
from sqlalchemy import insert, update

from mooring.access.tables import signing_keys
from mooring.background import SOURCES
from mooring.cluster import configuration, heartbeat
from mooring.cluster.clock import SECOND
from mooring.cluster.heartbeat import Pulse
from mooring.cluster.tables import configuration as versions
from mooring.observe.alerts import state
from mooring.observe.alerts.conditions import Moment
from mooring.probe import schedule
from mooring.registry import uploads
from mooring.registry.tables import object_removals
from mooring.settings import load
from tests.access import forgery
from tests.http.site import Site, bearer
from tests.observe.alerts.conftest import OpenSite

DAY = 86_400 * SECOND
READY = Pulse(ready=True, server="a")


@pytest.fixture
def site(open_site: OpenSite) -> Site:
    made = open_site()
    for name in ("registry-1/1-a", "registry-1/2-a", "registry-2/1-b"):
        made.write(heartbeat.beat, made.now, name, READY)
    return made


def found(site: Site, later: int = 0, **settings: float) -> Mapping[tuple[str, str], str]:
    given = load(None, **settings)
    findings = site.read(state.find, Moment(site.now + later, given), SOURCES)
    return {(each.condition.name, each.subject): each.text for each in findings}


def test_a_sound_cluster(site: Site) -> None:
    assert found(site, probe_interval_seconds=60) == {}


def test_one_that_is_not_ready(site: Site) -> None:
    site.write(heartbeat.beat, site.now, "registry-2/1-b", Pulse(ready=False, failed={"keyring": "no key"}))
    assert found(site) == {("replica_not_ready", "registry-2"): "registry-2 is not ready: keyring: no key"}


def test_one_that_was_killed(site: Site) -> None:
    site.write(heartbeat.beat, site.now - 25 * SECOND, "registry-2/1-b", READY)
    assert found(site) == {("replica_lost", "registry-2"): "registry-2 was last heard of 25 seconds ago."}


def test_a_process_that_was_killed_and_has_a_successor(site: Site) -> None:
    site.write(heartbeat.beat, site.now - 25 * SECOND, "registry-1/1-a", READY)
    assert found(site) == {}


def test_one_that_left(site: Site) -> None:
    site.write(heartbeat.leave, "registry-2/1-b")
    assert found(site, later=5 * SECOND) == {}


def test_a_store_that_nobody_reaches(site: Site) -> None:
    away = Pulse(ready=False, failed={"store": "away"})
    site.write(heartbeat.beat, site.now, "registry-2/1-b", away)
    assert {name for name, _ in found(site)} == {"replica_not_ready"}, "one reaches it"
    for name in ("registry-1/1-a", "registry-1/2-a"):
        site.write(heartbeat.beat, site.now, name, away)
    assert found(site)["store_failing", ""] == "No replica reaches the store: away"
    site.write(heartbeat.beat, site.now, "worker-1/1-c", Pulse(ready=True, role=heartbeat.WORKER))
    assert ("store_failing", "") in found(site), "a worker serves nobody"


@pytest.mark.parametrize(
    ("offset", "error", "says"),
    [(31, 0, "31 s ahead of"), (-3600, 0, "3600 s behind"), (0, 3, "only to 3.0 s")],
)
def test_a_clock_that_is_off(site: Site, offset: int, error: int, says: str) -> None:
    pulse = Pulse(ready=True, clock_offset=offset * SECOND, clock_error=error * SECOND)
    site.write(heartbeat.beat, site.now, "registry-2/1-b", pulse)
    site.write(heartbeat.beat, site.now, "registry-2/2-b", READY)
    ((key, text),) = found(site).items()
    assert key == ("clock_off", "registry-2")
    assert says in text


def test_a_key_that_waits(site: Site) -> None:
    key = {"kid": "new", "algorithm": "ES256", "public_key": "{}", "sealed_private_key": b"", "state": "pending"}
    site.write(lambda connection: connection.execute(insert(signing_keys).values(**key, created_at=site.now)))
    assert found(site) == {}
    site.write(lambda connection: connection.execute(
        update(signing_keys).where(signing_keys.c.kid == "new").values(created_at=site.now - 400 * SECOND)
    ))  # fmt: skip
    assert "The key new has waited for 6 minutes" in found(site)["key_rotation_late", ""]


def test_a_key_that_is_too_old(site: Site) -> None:
    site.write(lambda connection: connection.execute(update(signing_keys).values(created_at=site.now - 33 * DAY)))
    assert found(site) == {("key_rotation_late", ""): "The signing key should have been replaced 3 days ago."}
    assert found(site, key_life_days=60) == {}


def test_one_with_an_older_configuration(site: Site) -> None:
    site.write(configuration.change, site.now, "a test", {"page_limit": 10})
    assert found(site) == {}, "a replica has a moment to read it"
    site.write(lambda connection: connection.execute(update(versions).values(changed_at=site.now - 20 * SECOND)))
    for name in ("registry-1/1-a", "registry-1/2-a"):
        site.write(heartbeat.beat, site.now, name, Pulse(ready=True, configuration_version=1))
    text = "registry-2 has version 0 of the configuration; version 1 is in force."
    assert found(site) == {("configuration_apart", "registry-2"): text}


def test_collection_that_does_not_keep_up(site: Site) -> None:
    row = {"object_key": "a" * 32, "due_at": site.now - 2 * 3600 * SECOND}
    site.write(lambda connection: connection.execute(insert(object_removals).values(row)))
    assert "120 minutes ago" in found(site)["work_late", "collection"]
    assert found(site, collection_interval_seconds=3600) == {}, "it is looked for rarely"


def test_uploads_that_nobody_throws_away(site: Site) -> None:
    """They count from the end of the rest that they are given."""
    now = site.now - 26 * 3600 * SECOND
    site.write(uploads.begin, now, "a" * 32, 1, "library/app", "user:1", "sha256")
    assert "120 minutes ago" in found(site)["work_late", "collection"]
    assert found(site, upload_idle_hours=26) == {}


def test_a_probe_that_failed_or_was_not_made(site: Site) -> None:
    site.write(schedule.note, site.now, "registry-1/1-a", 1.0, 3, "upload: 401")
    assert found(site) == {}, "it is off"
    assert found(site, probe_interval_seconds=60) == {("probe_failing", ""): "upload: 401"}
    site.write(schedule.note, site.now + 1, "registry-1/1-a", 1.0, 3, "")
    assert found(site, probe_interval_seconds=60) == {}
    # All replicas are heard of no more by then.
    late = found(site, later=400 * SECOND, probe_interval_seconds=60)
    assert late["probe_late", ""] == "The last probe was made 400 seconds ago."


def test_a_probe_that_was_never_made(site: Site) -> None:
    assert ("probe_late", "") not in found(site, later=400 * SECOND), "it is off"
    assert ("probe_late", "") not in found(site, probe_interval_seconds=60), "it is not due yet"
    late = found(site, later=400 * SECOND, probe_interval_seconds=60)
    assert late["probe_late", ""].startswith("None was made in 40")
    site.write(configuration.change, site.now + 200 * SECOND, "ann", {"probe_interval_seconds": 60})
    late = found(site, later=400 * SECOND, probe_interval_seconds=60)
    assert ("probe_late", "") not in late, "it was turned on just then"


def test_tokens_that_a_sound_cluster_never_refuses(site: Site) -> None:
    wrong = forgery.signed(site, {"kid": "of-another-registry"})
    for _ in range(3):
        assert site.ask("GET", "/v2/", [bearer(wrong)]).reason == "unknown_kid"
    site.run(site.parts.denials.flush(site.parts.database))
    assert found(site) == {}, "anybody may send one"
    for _ in range(7):
        site.ask("GET", "/v2/", [bearer(wrong)])
    site.run(site.parts.denials.flush(site.parts.database))
    assert "10 tokens were refused for unknown_kid" in found(site)["impossible_refusals", "unknown_kid"]
    assert "impossible_refusals" not in {name for name, _ in found(site, later=400 * SECOND)}


def test_wrong_passwords_are_no_fault_of_the_cluster(site: Site) -> None:
    for number in range(20):
        site.ask("GET", "/v2/", [("authorization", f"Basic bm9ib2R5OndyI{number % 10}Q==")])
    site.run(site.parts.denials.flush(site.parts.database))
    assert found(site) == {}
