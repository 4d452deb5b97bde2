"""Wrong passwords slow their own source down, and nobody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from mooring.identity import throttle
from mooring.identity.tables import login_failures
from mooring.identity.throttle import FREE, LIMIT, LONGEST_DELAY, MEMORY
from tests.http.site import Site

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "data") as made:
        yield made


def fail(site: Site, now: int, source: str = HERE, account: str = "anna") -> int:
    return site.write(throttle.note_failure, now, source, account)


def test_counted_by_source_and_account(site: Site) -> None:
    assert [fail(site, number) for number in range(3)] == [1, 2, 3]
    assert fail(site, 4, THERE) == 1
    assert fail(site, 4, HERE, "bert") == 1
    assert fail(site, 5) == 4


def test_forgotten_after_five_quiet_minutes(site: Site) -> None:
    for number in range(10):
        fail(site, number)
    assert fail(site, MEMORY - 1) == 11
    assert fail(site, 2 * MEMORY) == 1


def test_names_are_not_kept(site: Site) -> None:
    """People type their passwords into the field for the name."""
    fail(site, 1, HERE, "Sailor-of-the-7-seas")
    kept = site.read(lambda connection: connection.execute(select(login_failures)).one())
    assert "Sailor" not in str(kept)


def test_the_wait_grows_to_a_bound() -> None:
    waits = [throttle.delay(number) for number in range(1, 1000)]
    assert waits[:FREE] == [0.0] * FREE
    assert waits == sorted(waits)
    assert waits[FREE] > 0
    assert waits[-1] == LONGEST_DELAY


def test_locked_is_said_after_many(site: Site) -> None:
    assert not throttle.locked(LIMIT)
    assert throttle.locked(LIMIT + 1)
