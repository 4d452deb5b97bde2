"""What is logged is one JSON object a line, whoever says it, and no reason to refuse anything."""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
import structlog

from mooring.observe import logs
from tests.server import Server


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_every_line_of_a_server_is_structured(server: Server) -> None:
    lines = server.log.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("{"))
    said = [json.loads(line) for line in lines[begin:]]
    assert {"event", "level", "timestamp"} <= set.intersection(*map(set, said))
    assert ("serving", server.port) in [(line["event"], line.get("port")) for line in said]
    assert not [line for line in lines[:begin] if line.startswith("[")]


SPEAKER = """
import logging, sys, structlog
from mooring.observe import logs
logs.configure("info", "json")
print("ready", flush=True)
sys.stdin.readline()
for number in range(1000):
    structlog.get_logger().info("ours", number=number)
    logging.getLogger("library").warning("theirs")
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_workers_that_speak_at_once_leave_each_line_whole(tmp_path: Path, unbuffered: str) -> None:
    with contextlib.ExitStack() as speaking:
        log = speaking.enter_context((tmp_path / "log").open("wb"))
        speakers = [speaking.enter_context(_speaker(log, unbuffered)) for _ in range(3)]
        for speaker in speakers:
            assert speaker.stdout is not None
            assert speaker.stdout.readline() == b"ready\n"
        for speaker in speakers:
            assert speaker.stdin is not None
            speaker.stdin.close()
        assert [speaker.wait(timeout=60) for speaker in speakers] == [0, 0, 0]
    said = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert (said.count("ours"), said.count("theirs")) == (3000, 3000)


def _speaker(log: BinaryIO, unbuffered: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SPEAKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_error_has_its_stack_trace_without_what_variables_hold(form: str) -> None:
    password = "MY-SECRET".lower()  # the line of code is shown
    try:
        raise ValueError(f"what went wrong with {len(password)}")
    except ValueError:
        record = logging.LogRecord("library", logging.ERROR, "", 0, "It %s", ("failed",), sys.exc_info())
    line = logs.formatter(form).format(record)
    assert "It failed" in line
    assert "what went wrong with 9" in line
    assert "test_logs.py" in line
    assert "my-secret" not in line
    if form == "json":
        assert json.loads(line)["level"] == "error"


def test_a_full_disk_costs_the_line_and_not_the_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    logs.configure("info", "json")
    # Unbuffered: what a buffer still held would fail again when the file is closed.
    with io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True) as full:
        monkeypatch.setattr(sys, "stderr", full)
        with pytest.raises(OSError, match="No space left"):
            full.write("lost")
        structlog.get_logger().warning("lost")
        monkeypatch.undo()
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        structlog.get_logger().warning("kept")
        monkeypatch.undo()
    assert json.loads((tmp_path / "log").read_text())["event"] == "kept"
