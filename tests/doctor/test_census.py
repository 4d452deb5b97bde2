"""What `GET /api/v2.0/cluster` tells an administrator."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mooring.cluster import heartbeat
from mooring.cluster.clock import SECOND
from mooring.cluster.heartbeat import Pulse
from mooring.doctor.census import Census
from mooring.registry import collection
from tests.http.site import ADMIN_PASSWORD, Site, basic

ADMIN = ("admin", ADMIN_PASSWORD)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory: Path = tmp_path_factory.mktemp("census")
    with pytest.MonkeyPatch.context() as patch, Site(directory / "data", replica="one") as site:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
        yield site


def asked(site: Site) -> Census:
    reply = site.ask("GET", "/api/v2.0/cluster", [basic(*ADMIN)])
    assert reply.status == 200, reply
    return msgspec.convert(json.loads(reply.body), Census)


def test_replicas_tell_their_settings_and_keys(site: Site) -> None:
    pulse = Pulse(ready=False, failed={"store": "away"}, keys=["k1"], settings=site.parts.configuration.told())
    site.write(heartbeat.beat, site.now, "one/1-abc", pulse)
    (found,) = asked(site).replicas
    assert (found.given_name, found.alive, found.ready) == ("one", True, False)
    assert (dict(found.failed), found.keys) == ({"store": "away"}, ("k1",))
    assert found.settings["token_life_seconds"] == str(site.settings.token_life_seconds)
    assert not any("password" in name or "master_key" in name for name in found.settings)


def test_what_waits_is_counted_from_when_it_was_due(site: Site) -> None:
    assert [each.waiting for each in asked(site).queues] == [0, 0, 0]
    now = site.now
    for due_at in (now - 90 * SECOND, now - 5 * SECOND, now + 500 * SECOND):
        site.write(collection.enqueue_removal, f"{due_at:032x}", due_at)
    (removals,) = (each for each in asked(site).queues if each.name == "removals")
    assert removals.waiting == 2
    assert 90 <= removals.behind_seconds < 120


def test_refusals_are_counted_by_reason(site: Site) -> None:
    for password in ("wrong", "worse"):
        assert site.ask("GET", "/api/v2.0/users", [basic("admin", password)]).status == 401
    site.run(site.parts.denials.flush(site.parts.database))
    found = {each.reason: each for each in asked(site).refusals}
    assert found["bad_credentials"].count == 2
    assert found["bad_credentials"].accounts == 1
