"""`mooring audit`: who did what."""

import json
from typing import Annotated

import typer

from mooring.cli.opened import opened
from mooring.cli.options import Config, Data, Output
from mooring.cli.tables import show
from mooring.cluster.clock import rfc3339
from mooring.database.selection import Exact, Fuzzy, Selection
from mooring.observe.audit import log


def audit(
    username: Annotated[str | None, typer.Option(help="Only what this account did.")] = None,
    resource: Annotated[str | None, typer.Option(help="Only what was done to this, or a part of its name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest of all.")] = 50,
    output: Output = "text",
    data: Data = None,
    config: Config = None,
) -> None:
    """Show who did what, newest first."""
    asked = Selection(size=limit)
    asked = asked.with_test("username", Exact(username)) if username else asked
    asked = asked.with_test("resource", Fuzzy(resource)) if resource else asked
    with opened(config, data) as parts:
        found = parts.database.read_now(log.page, asked).rows
    if output == "json":
        told = [{**row, "at": rfc3339(row["at"])} for row in found]
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    show(
        ("time", "who", "did", "to", "more"),
        (
            (
                rfc3339(row["at"]),
                row["username"],
                f"{row['operation']} {row['resource_type']}",
                row["resource"],
                row["description"],
            )
            for row in found
        ),
    )
