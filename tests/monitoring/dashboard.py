"""The dashboard for Grafana, and what it asks Prometheus."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.programs import ROOT

DASHBOARD: Final[dict[str, Any]] = json.loads((ROOT / "deploy" / "grafana" / "mooring.json").read_text())
CHOSEN: Final[Mapping[str, str]] = {"$job": ".*", "$instance": ".*", "$__rate_interval": "1m"}
"""What Grafana puts in the place of its variables."""


def panels() -> Iterator[dict[str, Any]]:
    for panel in DASHBOARD["panels"]:
        yield panel
        yield from panel.get("panels", ())


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each with the title of its panel."""
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target


def expressions() -> list[str]:
    return [chosen(target["expr"]) for _, target in targets()]


def chosen(text: str) -> str:
    """With values for the variables."""
    return re.sub("|".join(map(re.escape, CHOSEN)), lambda found: CHOSEN[found[0]], text)
