"""The dashboard: what Grafana needs of it, and that Prometheus can answer all that it asks."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from mooring.observe import catalogue
from tests.monitoring.dashboard import DASHBOARD, chosen, expressions, panels, targets
from tests.monitoring.test_rules import exposed
from tests.programs import Refused, Shell, find


def test_it_has_what_grafana_imports() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(DASHBOARD)
    assert "id" not in DASHBOARD
    numbers = Counter(panel["id"] for panel in panels())
    assert set(numbers.values()) == {1}
    assert {panel["type"] for panel in panels()} <= {"row", "stat", "timeseries"}
    known = {variable["name"] for variable in DASHBOARD["templating"]["list"]} | {"__rate_interval", "__all"}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) <= known


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_each_panel_asks_something_and_names_it() -> None:
    for panel in panels():
        asked = panel.get("targets", [])
        assert bool(asked) == (panel["type"] != "row"), panel["title"]
        assert len({target["refId"] for target in asked}) == len(asked), panel["title"]
        assert all(target["legendFormat"] for target in asked), panel["title"]


def test_it_asks_only_for_metrics_that_there_are_and_leaves_none_out() -> None:
    asked = {name for expression in expressions() for name in re.findall(r"\bmooring_\w+", expression)}
    assert asked <= exposed()
    queries = {name for each in DASHBOARD["templating"]["list"] for name in re.findall(r"mooring_\w+", each["query"])}
    assert queries <= exposed() | {"mooring"}
    # These are one number that is 1 or 0, shown by others.
    unshown = {"mooring_ready", "mooring_cluster_sampled", "mooring_cluster_configuration_version"}
    shown = {re.sub(r"_bucket$", "", name) for name in asked}
    assert {each.name for each in catalogue.METRICS} - shown == unshown


def test_labels_in_legends_are_there() -> None:
    for title, target in targets():
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            known = re.search(rf"\bby \([^)]*\b{label}\b", target["expr"])
            own = any(each.name in target["expr"] and label in each.labels for each in catalogue.METRICS)
            assert known or (own and " by (" not in target["expr"]), (title, label)


def test_prometheus_understands_every_question(tmp_path: Path) -> None:
    """promtool reads a rule for each, as that is what it checks offline."""
    check(tmp_path, expressions())


def test_promtool_would_say_so(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="parse error"):
        check(tmp_path, [chosen('sum by (reason (rate(mooring_refusals_total{job=~"$job"}[$__rate_interval]))')])


def check(directory: Path, asked: list[str]) -> None:
    rules = [{"record": f"asked:{number}", "expr": expression} for number, expression in enumerate(asked)]
    path = directory / "asked.yml"
    path.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    Shell(directory, {}).run(find("promtool"), "check", "rules", path, merged=True)
