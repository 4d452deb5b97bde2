"""`/metrics` says what happened, in words that the documentation has, and costs a request next to nothing."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from mooring.cluster import heartbeat
from mooring.cluster.clock import SECOND
from mooring.cluster.heartbeat import Pulse
from mooring.errors import NotFound, Unavailable
from mooring.http.edge import FAMILIES, HEALTH, family
from mooring.measuring import measured
from mooring.observe import catalogue
from mooring.observe.catalogue import Kind
from mooring.registry import collection
from mooring.storage.filesystem import FileStore
from tests.access.forgery import signed
from tests.api import Api
from tests.http.site import ADMIN_PASSWORD, Site, basic, bearer
from tests.management.pushing import push_image
from tests.observe.shown import Shown, shown
from tests.postgresql import PostgreSQL
from tests.programs import Shell, find
from tests.server import Server

ADMIN: Final = basic("admin", ADMIN_PASSWORD)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as made:
        yield made


def look(site: Site) -> Shown:
    return shown(site.ask("GET", "/metrics").body)


def send(site: Site, method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
    return site.ask(method, path, [ADMIN, *headers.items()], body).status


def names(found: Shown) -> set[str]:
    """As the catalogue has them."""
    return {f"{name}_total" if each.type == "counter" else name for name, each in found.families.items()}


def test_all_that_is_shown_is_described_and_the_other_way_round(site: Site) -> None:
    push_image(lambda *request: send(site, *request), "library/described", "v1")
    found = look(site)
    assert names(found) == {each.name for each in catalogue.METRICS}
    for each in catalogue.METRICS:
        shown_labels = {frozenset(labels) - {"le"} for labels in found.labels(_sample(each))}
        assert shown_labels <= {frozenset(each.labels)}, each.name


def test_workers_of_a_server_show_the_same(server: Server, tmp_path: Path) -> None:
    text = Api(server.url, "", "").request("GET", "/metrics").body
    # What Prometheus itself finds wrong: names, units, help.
    Shell(tmp_path, {}).run(find("promtool"), "check", "metrics", stdin=text.decode(), merged=True)
    found = shown(text)
    assert names(found) <= {each.name for each in catalogue.METRICS}
    assert "pid" not in {
        label for each in catalogue.METRICS for labels in found.labels(_sample(each)) for label in labels
    }


def _sample(each: catalogue.Described) -> str:
    return f"{each.name}_bucket" if each.kind is Kind.HISTOGRAM else each.name


def test_no_label_grows_with_names(site: Site) -> None:
    before = sum(len(each.samples) for each in look(site).families.values())
    for number in range(20):
        push_image(lambda *request: send(site, *request), f"library/grows-{number}", f"v{number}", seed=str(number))
        site.ask("GET", f"/v2/nobody-{number}/app/manifests/latest", [basic(f"stranger-{number}", "wrong")])
        site.ask(f"METHOD{number}", f"/somewhere/{number}")
    found = look(site)
    again = sum(len(each.samples) for each in found.families.values())
    # The first refusals of a kind make new ones; forty more requests make none.
    for number in range(40, 80):
        site.ask("GET", f"/v2/nobody-{number}/app/manifests/latest", [basic(f"stranger-{number}", "wrong")])
        site.ask(f"METHOD{number}", f"/somewhere/{number}")
    assert sum(len(each.samples) for each in look(site).families.values()) == again > before


def test_requests_and_the_bytes_of_their_bodies_are_counted(site: Site) -> None:
    before = look(site)
    content = b"cargo" * 1000
    push_image(lambda *request: send(site, *request), "library/counted", "v1", seed=content.decode())
    token = site.token("repository:library/counted:pull", [ADMIN])
    digest = site.ask("GET", "/v2/library/counted/manifests/v1", [bearer(token)]).json["layers"][0]["digest"]
    assert site.ask("GET", f"/v2/library/counted/blobs/{digest}", [bearer(token)]).body == content
    after = look(site)

    def more(name: str, **labels: str) -> float:
        return after.sum(name, **labels) - before.sum(name, **labels)

    assert more("mooring_requests_total", method="GET", route="blobs", status="200") == 1
    assert more("mooring_requests_total", method="PUT", route="manifests", status="201") == 1
    assert more("mooring_sent_bytes_total", route="blobs") == len(content)
    assert more("mooring_received_bytes_total", route="uploads") > len(content)
    assert more("mooring_request_seconds_count", route="blobs") == 1
    assert more("mooring_request_seconds_bucket", route="blobs", le="+Inf") == 1
    assert more("mooring_request_seconds_sum", route="blobs") > 0
    assert more("mooring_database_seconds_count", kind="write") >= 3
    assert more("mooring_store_seconds_count", operation="finish") >= 1
    assert after.sum("mooring_requests_running") == before.sum("mooring_requests_running")


def test_a_token_of_another_signer_is_counted_by_its_reason(site: Site) -> None:
    before = look(site).sum("mooring_refusals_total", reason="unknown_kid")
    reply = site.ask("GET", "/v2/", [bearer(signed(site, {"kid": "another"}))])
    assert reply.reason == "unknown_kid"
    assert look(site).sum("mooring_refusals_total", reason="unknown_kid") == before + 1


OF_IMAGES = [f"/v2/library/app{part}x" for part, _ in FAMILIES]


@pytest.mark.parametrize("path", [*OF_IMAGES, *sorted(HEALTH), "/service/token"])
def test_each_route_has_a_name(path: str) -> None:
    assert family(path) not in ("other", "v2")


def test_a_failing_check_is_named_and_so_is_its_end(site: Site) -> None:
    assert isinstance(site.parts.store, FileStore)
    marker = site.parts.store.directory / "cluster-id"
    aside = marker.with_name("aside")

    def state() -> tuple[float, float, float]:
        site.run(site.parts.readiness.look())
        site.parts.watch.note(heartbeat.SERVER)
        found = look(site)
        store, database = (found.sum("mooring_check_failed", check=name) for name in ("store", "database"))
        return found.sum("mooring_ready"), store, database

    assert state() == (1, 0, 0)
    marker.rename(aside)
    try:
        assert state() == (0, 1, 0)
    finally:
        aside.rename(marker)
    assert state() == (1, 0, 0)
    assert look(site).sum("mooring_check_seconds", check="store") > 0


def test_due_rows_are_counted_with_the_lag_of_the_oldest(site: Site) -> None:
    for digest, ago in (("sha256:old", 600), ("sha256:new", 60), ("sha256:later", -600)):
        site.write(collection.enqueue_review, 0, digest, site.now - ago * SECOND)
    sample = site.read(site.parts.watch._look)
    assert sample.queues["reviews"].waiting == 2
    found = shown(site.run(_afresh(site)))
    assert found.sum("mooring_queue_due", queue="reviews") == 2
    assert 600 <= found.sum("mooring_queue_lag_seconds", queue="reviews") < 630
    site.run(site.parts.collector.run_counted(site.parts.metrics))
    assert shown(site.run(_afresh(site))).sum("mooring_queue_lag_seconds", queue="reviews") == 0


async def _afresh(site: Site) -> bytes:
    """Not what was kept of the last second."""
    site.parts.watch._asked_at = float("-inf")
    return await site.parts.watch.told()


def test_jobs_are_counted_on_postgresql(postgresql: PostgreSQL, tmp_path: Path) -> None:
    settings = {
        "database_url": postgresql.create(),
        "store": f"file://{tmp_path}/objects",
        "master_key": "bW9vcmluZyBtb29yaW5nIG1vb3JpbmcgbW9vcmluZyE=",
    }
    with Site(tmp_path, **settings) as site:
        assert look(site).sum("mooring_queue_due", queue="jobs") == 0
        late = text(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at) "
            "VALUES ('mooring', 'collection', now() - interval '300 seconds'), "
            "('mooring', 'probe', now() + interval '1 hour')"
        )
        site.write(lambda connection: connection.execute(late).close())
        found = shown(site.run(_afresh(site)))
        assert found.sum("mooring_queue_due", queue="jobs") == 1
        assert 295 < found.sum("mooring_queue_lag_seconds", queue="jobs") < 330


def test_the_cluster_is_counted(site: Site) -> None:
    for name, ready in (("a/1", True), ("b/2", False)):
        site.write(heartbeat.beat, site.now, name, Pulse(ready=ready))
    site.write(heartbeat.beat, site.now - heartbeat.LIFE - SECOND, "dead/3", Pulse(ready=True))
    found = shown(site.run(_afresh(site)))
    assert found.sum("mooring_cluster_sampled") == 1
    assert found.sum("mooring_cluster_replicas", role="server", state="ready") == 1
    assert found.sum("mooring_cluster_replicas", role="server", state="not_ready") == 1


def test_a_database_that_can_not_answer_costs_only_its_own_rows(site: Site) -> None:
    site.write(lambda connection: connection.execute(text("ALTER TABLE replicas RENAME TO elsewhere")).close())
    try:
        found = shown(site.run(_afresh(site)))
    finally:
        site.write(lambda connection: connection.execute(text("ALTER TABLE elsewhere RENAME TO replicas")).close())
    assert found.sum("mooring_cluster_sampled") == 0
    assert "mooring_queue_due" not in found.families
    assert "mooring_requests" in found.families


def test_only_what_a_part_could_not_do_is_a_failure(site: Site) -> None:
    seen: list[tuple[str, bool]] = []

    async def ends(error: Exception | None) -> None:
        if error is not None:
            raise error

    def observe(what: str, _seconds: float, failed: bool) -> None:
        seen.append((what, failed))

    broken = Unavailable("away")
    broken.__cause__ = OSError()
    for error in (None, NotFound(), Unavailable("overtaken"), broken):
        if error is None:
            site.run(measured(observe, "read", ends(error)))
        else:
            with pytest.raises(type(error)):
                site.run(measured(observe, "read", ends(error)))
    assert seen == [("read", False), ("read", False), ("read", False), ("read", True)]
