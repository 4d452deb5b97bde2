"""What the commands refuse, and what they print for a program that reads it."""

import io
import json
import sys
from pathlib import Path

import pytest

from mooring.cluster import heartbeat
from mooring.cluster.clock import Clock
from mooring.cluster.heartbeat import Pulse
from mooring.database.sqlite import SQLite
from tests.installation.conftest import Mooring


def test_the_last_administrator_is_not_disabled(mooring: Mooring, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = mooring("user", "disable", "admin", "--data", data)
    assert (tried.code, tried.out) == (2, "")
    assert tried.err == "mooring: This is the last system administrator. Make another one first.\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO("Another-Sailor-8\n"))
    assert mooring("user", "create", "second", "--admin", "--password-stdin", "--data", data).code == 0
    assert mooring("user", "disable", "admin", "--data", data).code == 0
    assert mooring("user", "disable", "admin", "--data", data).code == 0, "is so already"
    assert mooring("user", "disable", "second", "--data", data).code == 2
    assert mooring("user", "enable", "admin", "--data", data).code == 0
    assert mooring("user", "disable", "second", "--data", data).code == 0
    listed = mooring("user", "list", "--data", data).out.splitlines()
    assert [line.split("\t")[1:5] for line in listed[1:]] == [["admin", "", "yes", ""], ["second", "", "yes", "yes"]]


def test_a_replica_s_name_is_whole_where_a_program_reads_it(mooring: Mooring, data: Path) -> None:
    name = "mooring-7c9d8b6f5-" + "x" * 80
    database = SQLite(data / "mooring.db")
    now = Clock(database).now()
    database.write_now(heartbeat.beat, now, name, Pulse(ready=False, failed={"store": "is away"}))
    database.close()
    said = mooring("cluster", "status", "--data", data)
    assert said.code == 1
    columns, row, *failed = said.out.splitlines()
    assert columns.split("\t")[0] == "replica"
    assert row.split("\t")[0] == name
    assert failed == [f"{name}: store: is away"]


@pytest.mark.parametrize("command", [("cluster", "status"), ("alerts",)])
def test_json_is_asked_for_as_everywhere_and_as_it_was(command: tuple[str, ...], mooring: Mooring, data: Path) -> None:
    short = mooring(*command, "--json", "--data", data)
    long = mooring(*command, "--output", "json", "--data", data)
    assert (short.code, json.loads(short.out)) == (long.code, json.loads(long.out)) == (0, [])
    assert "\t" in mooring(*command, "--output", "text", "--data", data).out
    assert mooring(*command, "--output", "yaml", "--data", data).code == 2
