"""The collector gives way to pushes: it rests after each batch while uploads move, and not otherwise."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, update

from mooring.cluster.clock import SECOND
from mooring.registry.collection import BATCH, NO_REPOSITORY
from mooring.registry.tables import blob_reviews, uploads
from tests.http.site import ADMIN_PASSWORD, Site, basic

UPLOADS = "/v2/library/app/blobs/uploads/"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "data") as made:
        yield made


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the collector would have rested, in seconds."""
    noted: list[float] = []

    async def note(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr("mooring.registry.collector.asyncio.sleep", note)
    return noted


def make_due(connection: Connection, now: int) -> None:
    due = [{"repository_id": NO_REPOSITORY, "digest": f"sha256:{each:064}", "due_at": now} for each in range(3 * BATCH)]
    connection.execute(insert(blob_reviews), due)


def set_back(connection: Connection) -> None:
    connection.execute(update(uploads).values(touched_at=uploads.c.touched_at - SECOND))


def test_it_rests_while_uploads_move(site: Site, rests: list[float]) -> None:
    site.write(make_due, site.now)
    site.ask("POST", UPLOADS, [basic("admin", ADMIN_PASSWORD)])
    assert site.run(site.parts.collector.run()).reviews == 3 * BATCH
    assert len(rests) == 3
    assert min(rests) > 0


@pytest.mark.parametrize("begun", [False, True], ids=["no upload", "one that stands still"])
def test_it_does_not_where_none_do(site: Site, rests: list[float], begun: bool) -> None:
    if begun:
        site.ask("POST", UPLOADS, [basic("admin", ADMIN_PASSWORD)])
        site.write(set_back)
    site.write(make_due, site.now)
    assert site.run(site.parts.collector.run()).reviews == 3 * BATCH
    assert rests == []
