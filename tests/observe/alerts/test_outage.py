"""A database that does not answer: told from memory, once for a server, and again when it is back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import gettempdir

import pytest

from mooring.cluster import naming
from mooring.cluster.configuration import Configuration
from mooring.cluster.readiness import Readiness
from mooring.errors import Foreign, MooringError, Unavailable
from mooring.observe.alerts import outage
from mooring.observe.alerts.outage import Outage
from tests.http.site import Site
from tests.observe.alerts.conftest import OpenSite
from tests.observe.alerts.receivers import Webhook


class Ground:
    """Two processes of one server; their database answers or does not."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.error: MooringError | None = None
        self.readiness = Readiness({"database": self.check})
        configuration = Configuration(site.parts.database, site.settings)
        parts = site.parts
        self.processes = [
            Outage(parts.database, parts.clock, configuration, self.readiness, "registry-1") for _ in range(2)
        ]

    async def check(self) -> None:
        if self.error is not None:
            raise self.error

    def turn(self) -> None:
        self.site.run(self._turn())

    async def _turn(self) -> None:
        await self.readiness.look()
        for process in self.processes:
            await process.turn()


@pytest.fixture
def make(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Ground]]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(naming, "server", lambda: "the-same")
    made: list[Ground] = []

    def ground(hook: Webhook, **settings: float) -> Ground:
        made.append(Ground(open_site(alert_webhook=hook.url, **settings)))
        made[-1].turn()
        return made[-1]

    yield ground
    for each in made:
        for process in each.processes:
            process.release()


def tellers() -> int:
    """How many processes hold the lock of those that tell."""
    return len(list(Path(gettempdir()).glob("mooring-outage-*")))


def test_one_of_a_server_tells_once_and_when_it_is_over(make: Callable[..., Ground], told: Webhook) -> None:
    ground = make(told)
    ground.error = Unavailable("The database can't answer.")
    for _ in range(3):
        ground.turn()
    (firing,) = told.posts
    found = firing.json
    assert (found["event"], found["condition"], found["severity"]) == ("firing", "database_failing", "critical")
    assert found["subject"] == "registry-1"
    assert found["text"].endswith("The database can't answer.")
    assert found["registry"] == "https://registry.example"
    ground.error = None
    for _ in range(2):
        ground.turn()
    assert [post.json["event"] for post in told.posts] == ["firing", "resolved"]
    ground.error = Unavailable("Again.")
    ground.turn()
    assert [post.json["event"] for post in told.posts] == ["firing", "resolved", "firing"]


def test_a_short_one_is_told_to_nobody(make: Callable[..., Ground], told: Webhook) -> None:
    ground = make(told, alert_delay_seconds=60)
    ground.error = Unavailable()
    ground.turn()
    ground.error = None
    ground.turn()
    assert told.posts == []


def test_a_replica_of_another_cluster_does_not_judge(make: Callable[..., Ground], told: Webhook) -> None:
    ground = make(told)
    ground.error = Foreign("Another schema.")
    ground.turn()
    assert told.posts == []


def test_who_can_not_be_told_is_told_later(
    make: Callable[..., Ground], told: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "FIRST_PAUSE", 0.0)
    ground = make(told)
    told.status = 500
    ground.error = Unavailable()
    ground.turn()
    told.status = 200
    ground.turn()
    assert len(told.posts) == 1
    assert told.posts[0].json["id"] == told.refused[0].json["id"]


def test_who_can_not_be_told_of_its_end_is_told_later(
    make: Callable[..., Ground], told: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "FIRST_PAUSE", 0.0)
    ground = make(told)
    ground.error = Unavailable()
    ground.turn()
    told.status = 500
    ground.error = None
    for _ in range(2):
        ground.turn()
    assert tellers() == 1, "it is not done yet"
    told.status = 200
    for _ in range(2):
        ground.turn()
    assert [post.json["event"] for post in told.posts] == ["firing", "resolved"]
    assert len({post.json["id"] for post in (*told.refused, told.posts[1])}) == 1
    assert tellers() == 0


def test_who_was_never_told_does_not_hear_of_its_end(make: Callable[..., Ground], told: Webhook) -> None:
    ground = make(told)
    told.status = 500
    ground.error = Unavailable()
    ground.turn()
    told.status = 200
    ground.error = None
    ground.turn()
    assert told.posts == []


def test_the_next_process_tells_where_one_died(make: Callable[..., Ground], told: Webhook) -> None:
    ground = make(told)
    first, second = ground.processes
    ground.error = Unavailable()
    ground.site.run(ground.readiness.look())
    ground.site.run(first.turn())
    assert len(told.posts) == 1
    first.release()
    ground.site.run(second.turn())
    assert len(told.posts) == 2, "the other one can't know that it was told"
