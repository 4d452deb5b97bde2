"""A rolling upgrade under load, by the numbers of the chart, and what it would be without its drain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes import pushes, rollout
from tests.kubernetes.jobs import Runner
from tests.kubernetes.release import Release
from tests.kubernetes.rollout import Rollout

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUICK = {"workers": 1, "shutdown": {"drainSeconds": 3}}


@pytest.fixture
def rolling(release: Release, runner: Runner, changes: dict[str, Any], tmp_path: Path) -> Iterator[Rollout]:
    """Two pods of an installed release behind a Service."""
    release.install("--timeout=60s", changes=changes | QUICK)
    with rollout.service(tmp_path / "service") as service:
        found = Rollout(release, service, tmp_path / "pods")
        try:
            found.scale(release.deployment())
            yield found
        finally:
            found.kill()


def test_an_upgrade_under_load_fails_no_push(rolling: Rollout, changes: dict[str, Any]) -> None:
    release = rolling.release
    with pushes.running(rolling.service.address, release.value("mooring-generated", "admin-password")) as load:
        release.upgrade("--timeout=60s", changes=changes | QUICK | {"settings": {"log_level": "warning"}})
        assert release.deployment()["metadata"]["generation"] == 2
        rolling.update(release.deployment())
    assert load.failed == []
    assert load.whole > 20
    assert [started.pod.name for started in rolling.running] == ["mooring-2", "mooring-3"]


def test_without_the_drain_the_same_load_fails(rolling: Rollout) -> None:
    """So the test above would see it."""
    deployment = rolling.release.deployment()
    for started in rolling.running:
        started.pod.container.pop("lifecycle", None)  # two pods, one specification
    with pushes.running(rolling.service.address, rolling.release.value("mooring-generated", "admin-password")) as load:
        rolling.update(deployment)
    assert [failure for failure in load.failed if " 503 " in failure]
