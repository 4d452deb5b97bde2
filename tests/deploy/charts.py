"""The chart, rendered by helm and read back as objects."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.programs import ROOT, Shell, find

CHART: Final = ROOT / "deploy" / "helm" / "mooring"
VALUES: Final = CHART / "ci"
# What `go install` builds takes itself for a client of Kubernetes 1.20, so it is told which one to render for.
KUBERNETES: Final = "1.34.1"

Object = dict[str, Any]


def helm(*arguments: str | Path, stdin: str | None = None) -> str:
    """What helm printed. Raises Refused with its own words. It has no settings but those given."""
    with tempfile.TemporaryDirectory() as home:
        shell = Shell(Path(home), {"HOME": home, "PATH": os.environ.get("PATH", os.defpath)})
        return shell.run(find("helm"), *arguments, stdin=stdin)


def template(
    values: str = "minimal", changes: Mapping[str, Any] | None = None, *, release: str = "mooring", chart: Path = CHART
) -> str:
    """The chart rendered with the values in `ci/` and then `changes`, as helm printed it."""
    files = ["--values", str(VALUES / f"{values}.yaml"), "--values", "-"]
    arguments = ["template", release, str(chart), "--namespace", "apps", "--kube-version", KUBERNETES]
    return helm(*arguments, *files, stdin=json.dumps(changes or {}))


def render(
    values: str = "minimal", changes: Mapping[str, Any] | None = None, *, release: str = "mooring", chart: Path = CHART
) -> list[Object]:
    text = _rendered(values, json.dumps(changes or {}), release, chart)
    return [item for item in yaml.safe_load_all(text) if item]


@cache
def _rendered(values: str, changes: str, release: str, chart: Path) -> str:
    return template(values, json.loads(changes), release=release, chart=chart)


def one(objects: list[Object], kind: str, name: str = "") -> Object:
    """The only object of a kind, or the one of that name."""
    found = [item for item in objects if item["kind"] == kind and name in ("", item["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} of {kind} {name}: {[item['metadata']['name'] for item in found]}"
    return found[0]


def kinds(objects: list[Object]) -> list[str]:
    return sorted(item["kind"] for item in objects)


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """The specification of every pod that the chart would make, hooks' included, with its owner's name."""
    for item in objects:
        if item["kind"] in ("Deployment", "Job"):
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        elif item["kind"] == "CronJob":
            yield item["metadata"]["name"], item["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def hook(item: Object, name: str) -> str:
    """An annotation of a hook; empty where the object is none."""
    annotations = item["metadata"].get("annotations") or {}
    return str(annotations.get(f"helm.sh/{name}", ""))


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping within, however deep."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from mappings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mappings(inner)


def environment(container: Object) -> dict[str, Any]:
    """What a container is given by name: a text, or where it comes from."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container.get("env", [])}
