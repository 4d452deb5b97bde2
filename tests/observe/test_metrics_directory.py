"""The directories of metrics: each server has one, and a killed one's is swept up by the next."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mooring.observe.metrics_directory import PREFIX, metrics_directory, sweep

HOLD = """
from mooring.observe.metrics_directory import metrics_directory
with metrics_directory() as made:
    print(made, flush=True)
    input()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def hold(place: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**os.environ, "TMPDIR": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_it_is_gone_at_the_end(place: Path) -> None:
    with metrics_directory() as made:
        (made / "counter_1.db").write_bytes(b"")
        assert made.parent == place
    assert list(place.iterdir()) == []


def test_the_next_start_removes_a_killed_server_s_and_no_other(place: Path) -> None:
    (dead, left), (alive, used) = hold(place), hold(place)
    (left / "counter_1.db").write_bytes(b"")
    strange, link = place / f"{PREFIX}of-somebody", place / f"{PREFIX}link"
    strange.mkdir()
    link.mkdir()
    (link / "lock").symlink_to(strange)
    try:
        os.kill(dead.pid, signal.SIGKILL)
        dead.wait()
        with metrics_directory() as mine:
            assert set(place.iterdir()) == {used, mine, strange, link}
            sweep(place)
            assert set(place.iterdir()) == {used, mine, strange, link}
        alive.communicate("\n", timeout=20)
        assert not used.exists()
    finally:
        for process in (dead, alive):
            process.kill()
            process.communicate()
