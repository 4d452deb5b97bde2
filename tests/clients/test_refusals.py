"""A refusal is enough to act on: docker shows its reason and its number, and by that number all of it is found."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mooring.refusals import Reason
from tests.clients.engine import Engine
from tests.clients.refused import LOGINS, PAGES, Scene, masked, scene, shown, tidied, written

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def made(docker_engine: Engine) -> Iterator[Scene]:
    with scene(docker_engine) as made:
        yield made


@pytest.fixture(scope="module")
def pushes(made: Scene) -> Mapping[Reason, str]:
    return made.pushes()


def test_every_reason_is_met_by_a_push() -> None:
    assert set(LOGINS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_docker_shows_the_reason_and_the_number(pushes: Mapping[Reason, str], reason: Reason) -> None:
    assert re.search(rf"\(reason: {reason}, request: [0-9a-f]{{16}}\)$", pushes[reason])


@pytest.mark.parametrize("reason", Reason)
def test_the_pages_show_what_a_run_prints(made: Scene, pushes: Mapping[Reason, str], reason: Reason) -> None:
    """To bring them up to date: `python -m tests.clients.refused`."""
    printed = masked(tidied(shown(made, reason, pushes[reason]), made.site.server.port))
    for page in PAGES:
        assert masked(written(page, reason)) == printed, page.name


def test_nothing_of_a_token_is_kept(made: Scene, pushes: Mapping[Reason, str]) -> None:
    assert pushes
    kept = b"".join(path.read_bytes() for path in Path(made.site.server.data).glob("mooring.db*"))
    assert b"no_permission" in kept
    assert b"eyJ" not in kept
