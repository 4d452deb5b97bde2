"""Each cause has its place in the documentation, where reports send their readers."""

import pytest

from mooring.doctor.causes import ALL, Cause
from mooring.doctor.checks.catalogue import CHECKS
from tests.docs.pages import page
from tests.doctor import table, test_compose, test_logs, test_objects
from tests.doctor.scenarios import SCENARIOS

each_cause = pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.id)


@each_cause
def test_cause_is_described(cause: Cause) -> None:
    section = page("docs/doctor.md").sections[cause.id.lower()]
    assert f"{cause.title.en}." in section
    assert cause.remedy.en in section
    assert "| from outside | " in section
    assert "| from inside | " in section


def test_checks_name_known_causes() -> None:
    known = {cause.id for cause in ALL}
    assert {cause for check in CHECKS for cause in check.causes} <= known
    assert [cause.id for cause in ALL] == [f"RC{number}" for number in range(1, 25)]


@each_cause
def test_cause_is_told_in_chinese(cause: Cause) -> None:
    for text in (cause.title, cause.remedy):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh)


def test_every_scenario_is_in_the_table_and_right() -> None:
    """As `python -m tests.doctor.table --write` found it last."""
    whole = (table.PAGE).read_text(encoding="utf-8")
    lines = whole.partition(table.BEGIN)[2].partition(table.END)[0].split("\n")
    shown = {tuple(cell.strip() for cell in line.split(" | ")[:2]) for line in lines if line.startswith("| ")}
    names = {(looked_at.removeprefix("| "), name) for looked_at, name in shown} - {("looked at", "scenario")}
    wanted = {("outside", scenario.name) for scenario in SCENARIOS}
    wanted |= {("compose", name) for name, *_ in test_compose.CASES}
    wanted |= {("Kubernetes", name) for name, *_ in test_objects.CASES}
    wanted |= {("log", f"a line of {cause}") for cause in test_logs.LINES}
    assert names == wanted
    assert not [line for line in lines if "| NO |" in line or "| FALSE |" in line]
    assert {f"RC{number}" for number in range(1, 25)} <= {word for line in lines for word in line.split()}
