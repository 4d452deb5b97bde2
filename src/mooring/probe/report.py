"""What the pushes showed, for a person and for programs."""

import json
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from mooring.probe.push import Run


def as_json(runs: Sequence[Run]) -> str:
    found = [
        {
            "issuer": run.issuer,
            "endpoint": run.other,
            "ok": run.fault is None,
            "seconds": round(run.seconds, 3),
            "step": run.fault.name if run.fault else None,
            "at": run.fault.endpoint if run.fault else None,
            "fault": run.fault.fault if run.fault else None,
            "steps": [
                {"name": step.name, "status": step.status, "seconds": round(step.seconds, 4)} for step in run.steps
            ],
        }
        for run in runs
    ]
    return json.dumps({"pushes": len(runs), "failed": failed(runs), "runs": found}, indent=2) + "\n"


def as_junit(runs: Sequence[Run]) -> str:
    suite = ET.Element("testsuite", name="mooring probe", tests=str(len(runs)), failures=str(failed(runs)), errors="0")
    for run in runs:
        case = ET.SubElement(suite, "testcase", classname="push", name=pair(run), time=f"{run.seconds:.3f}")
        if run.fault:
            message = f"{run.fault.name} at {run.fault.endpoint}"
            ET.SubElement(case, "failure", message=message).text = run.fault.fault
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def as_prometheus(runs: Sequence[Run]) -> str:
    """For the node exporter's text files: totals of this call, by pair."""
    pairs = by_pair(runs)
    lines = ["# HELP mooring_probe_pushes Pushes tried, by how they ended.", "# TYPE mooring_probe_pushes gauge"]
    for (issuer, other), mine in pairs.items():
        labels = f'issuer="{issuer}",endpoint="{other}"'
        lines.append(f'mooring_probe_pushes{{{labels},outcome="done"}} {len(mine) - failed(mine)}')
        lines.append(f'mooring_probe_pushes{{{labels},outcome="failed"}} {failed(mine)}')
    lines += ["# HELP mooring_probe_seconds Time of the last push.", "# TYPE mooring_probe_seconds gauge"]
    for (issuer, other), mine in pairs.items():
        lines.append(f'mooring_probe_seconds{{issuer="{issuer}",endpoint="{other}"}} {mine[-1].seconds:.3f}')
    return "\n".join(lines) + "\n"


def by_pair(runs: Sequence[Run]) -> Mapping[tuple[str, str], Sequence[Run]]:
    """By issuer and other endpoint, in the order in which they were tried."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run.issuer, run.other), []).append(run)
    return found


def failed(runs: Sequence[Run]) -> int:
    return sum(run.fault is not None for run in runs)


def pair(run: Run) -> str:
    return run.issuer if run.issuer == run.other else f"token of {run.issuer}, pushed with {run.other}"


def line(run: Run) -> str:
    if run.fault is None:
        return f"ok      {run.seconds:6.2f} s  {pair(run)}"
    return f"failed  {run.seconds:6.2f} s  {pair(run)}: {run.fault.name} at {run.fault.endpoint}: {run.fault.fault}"
