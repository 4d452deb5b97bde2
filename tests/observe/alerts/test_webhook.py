"""What a webhook gets, and what happens where it does not."""

import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import event, select

from mooring.cluster import heartbeat
from mooring.cluster.heartbeat import Pulse
from mooring.database.sqlite import SQLite
from mooring.observe.alerts import notices, state
from mooring.observe.alerts.tables import alert_notices
from tests.http.site import Site
from tests.observe.alerts.conftest import OpenSite
from tests.observe.alerts.receivers import Post, Webhook
from tests.server import HOST, free_port

STORE = Pulse(ready=False, failed={"store": "the bucket is away"})


def break_store(site: Site) -> None:
    site.write(heartbeat.beat, site.now, "registry-1/1-a", STORE)


def mend_store(site: Site) -> None:
    site.write(heartbeat.beat, site.now, "registry-1/1-a", Pulse(ready=True))


def told_of(posts: list[Post]) -> list[tuple[str, str]]:
    return sorted((post.json["event"], post.json["condition"]) for post in posts)


def due_now(site: Site) -> None:
    site.write(lambda connection: connection.execute(alert_notices.update().values(due_at=0)))


def errors(site: Site) -> list[str]:
    return site.read(lambda connection: list(connection.scalars(select(alert_notices.c.error))))


def test_who_is_told_what(open_site: OpenSite, told: Webhook) -> None:
    site = open_site(alert_webhook=told.url)
    break_store(site)
    for _ in range(3):
        site.run(site.parts.watchman.turn())
    assert told_of(told.posts) == [("firing", "replica_not_ready"), ("firing", "store_failing")]
    critical = next(post for post in told.posts if post.json["severity"] == "critical")
    assert critical.path.endswith(told.token)
    assert critical.headers["content-type"] == "application/json"
    found = critical.json
    assert found["text"] == "No replica reaches the store: the bucket is away"
    assert found["registry"] == "https://registry.example"
    assert found["remedy"]
    mend_store(site)
    site.run(site.parts.watchman.turn())
    assert told_of(told.posts[2:]) == [("resolved", "replica_not_ready"), ("resolved", "store_failing")]
    assert len({post.json["id"] for post in told.posts}) == 4
    assert len({post.json["alert"] for post in told.posts}) == 2


def posted(site: Site, told: Webhook) -> Post:
    break_store(site)
    site.run(site.parts.watchman.turn())
    return next(post for post in told.posts if b"store_failing" in post.body)


def test_slack(open_site: OpenSite, told: Webhook) -> None:
    site = open_site(alert_webhook=told.url, alert_webhook_form="slack")
    text = posted(site, told).json["text"]
    assert text.startswith("[firing] store_failing at https://registry.example\n")
    assert "the bucket is away" in text


def test_slack_reads_no_markup_of_a_reason(open_site: OpenSite, told: Webhook) -> None:
    site = open_site(alert_webhook=told.url, alert_webhook_form="slack")
    failed = {"store": "<!channel> & <https://thief.example|look>"}
    site.write(heartbeat.beat, site.now, "registry-1/1-a", Pulse(ready=False, failed=failed))
    site.run(site.parts.watchman.turn())
    assert told.posts
    for post in told.posts:
        assert "&lt;!channel&gt; &amp; &lt;https" in post.json["text"]


REQUIRED: Mapping[str, Any] = {
    "specversion": "1.0",
    "source": "https://registry.example",
    "type": "mooring.alert.firing",
}


def test_a_structured_cloud_event(open_site: OpenSite, told: Webhook) -> None:
    """CloudEvents 1.0, JSON format, and section 3.2 of its HTTP binding."""
    post = posted(open_site(alert_webhook=told.url, alert_webhook_form="cloudevents"), told)
    assert post.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    event = post.json
    assert REQUIRED.items() <= event.items()
    assert event["datacontenttype"] == "application/json"
    assert event["data"]["condition"] == "store_failing"
    assert event["id"] == event["data"]["id"]


def test_a_binary_cloud_event(open_site: OpenSite, told: Webhook) -> None:
    """Section 3.1 of its HTTP binding: attributes are headers, percent-encoded where they must be."""
    site = open_site(alert_webhook=told.url, alert_webhook_form="cloudevents-binary")
    site.write(heartbeat.beat, site.now, "kaï 100%/1-a", STORE)
    site.run(site.parts.watchman.turn())
    post = next(post for post in told.posts if post.json["condition"] == "replica_not_ready")
    assert {f"ce-{name}": value for name, value in REQUIRED.items()}.items() <= post.headers.items()
    assert post.headers["content-type"] == "application/json"
    assert post.headers["ce-subject"] == "ka%C3%AF%20100%25"
    assert post.json["subject"] == "kaï 100%"


def test_one_that_refuses_is_asked_again(open_site: OpenSite, told: Webhook) -> None:
    site = open_site(alert_webhook=told.url)
    told.status = 503
    break_store(site)
    site.run(site.parts.watchman.turn())
    assert errors(site) == ["the webhook answered 503"] * 2
    told.status = 200
    site.run(site.parts.watchman.turn())
    assert told.posts == [], "not at once"
    due_now(site)
    site.run(site.parts.watchman.deliver())
    assert len(told.posts) == 2
    assert {post.json["id"] for post in told.posts} == {post.json["id"] for post in told.refused}


def test_a_process_that_dies_before_it_tells_leaves_that_to_the_next(open_site: OpenSite, told: Webhook) -> None:
    first = open_site(alert_webhook=told.url)
    break_store(first)
    first.run(first.parts.watchman.look())
    second = open_site(alert_webhook=told.url)
    second.run(second.parts.watchman.turn())
    first.run(first.parts.watchman.turn())
    assert told_of(told.posts) == [("firing", "replica_not_ready"), ("firing", "store_failing")]


@pytest.mark.parametrize("status", [200, 500, 0], ids=["taken", "refused", "away"])
def test_the_address_is_told_to_nobody(
    open_site: OpenSite, told: Webhook, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    url = told.url if status else f"http://{HOST}:{free_port()}/{told.token}"
    site = open_site(alert_webhook=url)
    told.status = status
    break_store(site)
    site.run(site.parts.watchman.turn())
    kept = [
        *errors(site),
        json.dumps(site.read(notices.undelivered)),
        str(site.read(state.active)),
        *capfd.readouterr(),
    ]
    kept += [repr(site.settings), str(site.settings)]
    assert told.token not in " ".join(kept)
    assert (errors(site) == ["", ""]) == (status == 200)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/token", "http://[::1]:9/token", "http://localhost:9/token"])
def test_a_private_address_is_asked_only_where_that_is_meant(open_site: OpenSite, url: str) -> None:
    site = open_site(alert_webhook=url, alert_private=False)
    break_store(site)
    site.run(site.parts.watchman.turn())
    assert errors(site) == ["the webhook has a private address: set alert_private if that is meant"] * 2


def test_a_name_that_leads_to_a_private_address_is_not_asked(
    open_site: OpenSite, told: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public when it was set up, private now; or both at once."""
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, told.port)) for address in ("1.1.1.1", HOST)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    site = open_site(alert_webhook=f"http://rebound.example:{told.port}/", alert_private=False)
    break_store(site)
    site.run(site.parts.watchman.turn())
    assert told.posts == []
    assert ["private address" in error for error in errors(site)] == [True, True]


def test_a_channel_that_is_taken_away_waits_for_a_replica_that_has_it(open_site: OpenSite, told: Webhook) -> None:
    with_it, without = open_site(alert_webhook=told.url), open_site()
    break_store(with_it)
    with_it.run(with_it.parts.watchman.look())
    without.run(without.parts.watchman.deliver())
    assert errors(without) == ["this replica has no such channel"] * 2
    due_now(without)
    with_it.run(with_it.parts.watchman.deliver())
    assert len(told.posts) == 2


def test_nothing_is_written_where_nothing_is_wrong(open_site: OpenSite, told: Webhook) -> None:
    site = open_site(alert_webhook=told.url)
    mend_store(site)
    database, commits = site.parts.database, list[object]()
    assert isinstance(database, SQLite)
    event.listen(database.engine, "commit", commits.append)
    site.run(site.parts.watchman.look())
    assert commits == []
    break_store(site)
    del commits[:]
    site.run(site.parts.watchman.look())
    assert len(commits) == 1, "this is how a write would show"
    assert told.posts == []
