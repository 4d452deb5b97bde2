"""The alert rules: Prometheus' own promtool runs each over series that must fire it, and over others that must not."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from mooring.observe import catalogue
from mooring.observe.catalogue import Kind
from tests.docs.pages import page
from tests.monitoring.cases import CASES, Case, Series
from tests.programs import ROOT, Refused, Shell, find

RULES: Final = ROOT / "deploy" / "prometheus" / "mooring.rules.yml"
ALERTS: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, {})


def test_each_alert_has_a_case_of_its_own() -> None:
    assert list(CASES) == list(ALERTS)


def test_each_fires_when_it_must_and_says_what(shell: Shell) -> None:
    shell.run(find("promtool"), "test", "rules", document(shell, [firing(name, case) for name, case in CASES.items()]))


def test_none_fires_when_it_must_not(shell: Shell) -> None:
    shell.run(find("promtool"), "test", "rules", document(shell, [quiet(name, case) for name, case in CASES.items()]))


def test_promtool_would_say_so(shell: Shell) -> None:
    """Of an alert that does not fire, and of one that fires for the wrong reason."""
    case = CASES["MooringNoKey"]
    late = [quiet("MooringNoKey", Case(case.fires, case.fires, "", "", severity="critical"))]
    for wrong in (late, [{**firing("MooringNoKey", case), "input_series": series(case.quiet)}]):
        with pytest.raises(Refused, match="FAILED"):
            shell.run(find("promtool"), "test", "rules", document(shell, wrong))


@pytest.mark.parametrize("name", ALERTS)
def test_each_says_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["labels"]["severity"] in ("warning", "critical")
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == name.lower()
    assert anchor in page(path).anchors


@pytest.mark.parametrize("name", ALERTS)
def test_each_asks_for_metrics_that_there_are(name: str) -> None:
    asked = set(re.findall(r"\bmooring_\w+", ALERTS[name]["expr"]))
    assert asked
    assert asked <= exposed()


def exposed() -> set[str]:
    """The names of all series."""
    ends = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
    return {f"{each.name}{end}" for each in catalogue.METRICS for end in ends.get(each.kind, ("",))}


def firing(name: str, case: Case) -> dict[str, Any]:
    labels = {"severity": case.severity, **({"job": "mooring"} if case.job else {}), **case.labels}
    annotations = {
        "summary": case.summary,
        "description": case.description,
        "runbook": ALERTS[name]["annotations"]["runbook"],
    }
    return tried(name, case.fires, case.at, [{"exp_labels": labels, "exp_annotations": annotations}])


def quiet(name: str, case: Case) -> dict[str, Any]:
    return tried(name, case.quiet, case.at, [])


def tried(name: str, given: Series, at: str, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    wanted = [{"eval_time": at, "alertname": name, "exp_alerts": alerts}]
    return {"name": name, "interval": "1m", "input_series": series(given), "alert_rule_test": wanted}


def series(given: Series) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in given.items()]


def document(shell: Shell, tests: list[dict[str, Any]]) -> Path:
    path = shell.directory() / "tests.yml"
    # JSON is YAML.
    path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    return path
