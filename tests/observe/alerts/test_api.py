"""What an administrator reads of alerts and probes over HTTP."""

from mooring.cluster import heartbeat
from mooring.cluster.heartbeat import Pulse
from mooring.probe import schedule
from tests.http.site import ADMIN_PASSWORD, basic
from tests.observe.alerts.conftest import OpenSite
from tests.observe.alerts.receivers import Webhook

ADMIN = [basic("admin", ADMIN_PASSWORD)]


def test_what_lasts_is_listed_and_what_is_over_is_not(open_site: OpenSite, told: Webhook) -> None:
    site = open_site(alert_webhook=told.url)
    assert site.ask("GET", "/api/v2.0/alerts", ADMIN).json == []
    site.write(heartbeat.beat, site.now, "registry-1/1-a", Pulse(ready=False, failed={"keyring": "no key"}))
    site.run(site.parts.watchman.turn())
    (found,) = site.ask("GET", "/api/v2.0/alerts", ADMIN).json
    assert (found["condition"], found["subject"], found["severity"]) == ("replica_not_ready", "registry-1", "warning")
    assert found["text"] == "registry-1 is not ready: keyring: no key"
    assert found["remedy"]
    assert found["told"]
    site.write(heartbeat.beat, site.now, "registry-1/1-a", Pulse(ready=True))
    site.run(site.parts.watchman.turn())
    assert site.ask("GET", "/api/v2.0/alerts", ADMIN).json == []


def test_rounds_of_the_probe(open_site: OpenSite) -> None:
    site = open_site()
    site.write(schedule.note, site.now, "registry-1/1-a", 0.5, 4, "")
    site.write(schedule.note, site.now + 1, "registry-2/1-a", 1.5, 2, "upload: 401")
    newest, before = site.ask("GET", "/api/v2.0/probes", ADMIN).json
    assert (newest["replica"], newest["pushes"], newest["seconds"], newest["fault"]) == (
        "registry-2/1-a", 2, 1.5, "upload: 401",
    )  # fmt: skip
    assert before["fault"] == ""
