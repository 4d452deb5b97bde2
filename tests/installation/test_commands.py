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
from mooring.observe.alerts import notices, state
from mooring.observe.alerts.conditions import PROBE_FAILING, REPLICA_LOST, Condition, Finding, Moment
from mooring.settings import load
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


@pytest.mark.parametrize(("condition", "code"), [(PROBE_FAILING, 1), (REPLICA_LOST, 0)])
def test_what_is_wrong_is_wrong_without_a_channel(
    condition: Condition, code: int, mooring: Mooring, data: Path
) -> None:
    database = SQLite(data / "mooring.db")
    moment = Moment(Clock(database).now(), load())
    database.write_now(state.note, moment, [Finding(condition, "", "It is wrong.")], ())
    database.close()
    said = mooring("alerts", "--data", data)
    assert (said.code, said.out.splitlines()[1].split("\t")[4:]) == (code, ["not yet", "It is wrong."])


def test_a_notice_that_does_not_come_through_is_told_beside_json(mooring: Mooring, data: Path) -> None:
    database = SQLite(data / "mooring.db")
    moment = Moment(Clock(database).now(), load())
    database.write_now(state.note, moment, [Finding(PROBE_FAILING, "", "It is wrong.")], ("mail",))
    (notice,) = database.write_now(notices.take, moment.now)
    database.write_now(notices.failed, moment.now, notice, "the mail server answered 451")
    database.close()
    said = mooring("alerts", "--output", "json", "--data", data)
    assert (said.code, [each["condition"] for each in json.loads(said.out)]) == (1, ["probe_failing"])
    assert said.err == "A notice by mail did not come through, 1 times: the mail server answered 451\n"
