"""`mooring denials`: who was refused."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from mooring.cli.opened import opened
from mooring.cli.options import Config, Data, Form, Output
from mooring.cli.tables import show
from mooring.cluster.clock import SECOND, rfc3339
from mooring.database.selection import Exact, Range, Selection, Test, microseconds
from mooring.errors import Invalid
from mooring.observe.denials import log
from mooring.observe.denials.log import Group
from mooring.refusals import Reason

AGO = re.compile(r"([0-9]{1,6})(s|m|h|d)")
UNITS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def denials(
    since: Annotated[str, typer.Option("--since", help="30m, 12h, 7d, or a time such as 2026-04-09T02:36:00.")] = "1d",
    reason: Annotated[Reason | None, typer.Option("--reason", help="Only those with this reason.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Only those of this account.")] = None,
    repository: Annotated[str | None, typer.Option("--repository", help="Only those of PROJECT/NAME.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="Only those within this project.")] = None,
    replica: Annotated[
        str | None, typer.Option("--replica", help="Only those of this replica, or of one process of it.")
    ] = None,
    request_id: Annotated[str | None, typer.Option("--request-id", help="Only those of this request.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many rows, the newest first.")] = 100,
    by_reason: Annotated[bool, typer.Option("--by-reason", help="Add up, by reason, all since then.")] = False,
    output: Output = "text",
    data: Data = None,
    config: Config = None,
) -> None:
    """Show who was refused, when, what and why: the newest first. `mooring explain` tells more of one."""
    wanted = {
        "reason": reason,
        "subject": subject,
        "repository": repository,
        "project": project,
        "replica": replica,
        "request_id": request_id,
    }
    if by_reason and any(wanted.values()):
        raise Invalid("--by-reason adds up everything: leave the other conditions out.")
    with opened(config, data) as parts:
        begin = _moment(since, parts.clock.now())
        if by_reason:
            _print_groups(parts.database.read_now(log.by_reason, begin), output)
            return
        tests: list[tuple[str, Test]] = [(name, Exact(value)) for name, value in wanted.items() if value]
        selection = Selection([*tests, ("time", Range(rfc3339(begin), None))], size=limit)
        _print_rows(parts.database.read_now(log.page, selection)[:limit], output)


def record(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as JSON has it, with the names of the API."""
    names = {"at": "time", "last_at": "last_time", "sentence": "explanation"}
    told = {names.get(name, name): value for name, value in row.items()}
    return {**told, "time": rfc3339(row["at"]), "last_time": rfc3339(row["last_at"])}


def _moment(text: str, now: int) -> int:
    """Raises Invalid."""
    if found := AGO.fullmatch(text):
        return now - int(found[1]) * UNITS[found[2]] * SECOND
    return microseconds(text)


def _print_rows(rows: Sequence[Mapping[Any, Any]], output: Form) -> None:
    if output == "json":
        print(json.dumps([record(row) for row in rows], indent=2, ensure_ascii=False))
        return
    show(
        ("time", "times", "reason", "account", "wanted", "from", "replica", "request"),
        (
            (
                rfc3339(row["at"]),
                str(row["occurrences"]),
                row["reason"],
                row["subject"],
                f"{row['action']} {row['repository']}".strip(),
                row["client"],
                row["replica"],
                row["request_id"],
            )
            for row in rows
        ),
    )


def _print_groups(groups: Sequence[Group], output: Form) -> None:
    if output == "json":
        print(json.dumps([{**vars(each), "last_at": rfc3339(each.last_at)} for each in groups], indent=2))
        return
    show(
        ("reason", "times", "accounts", "repositories", "replicas", "last"),
        (
            (
                each.reason,
                str(each.occurrences),
                str(each.subjects),
                str(each.repositories),
                str(each.replicas),
                rfc3339(each.last_at),
            )
            for each in groups
        ),
    )
