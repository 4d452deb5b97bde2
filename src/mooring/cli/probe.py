"""`mooring probe`: a push that proves that a registry works."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from mooring.cli.origins import credentials, origin
from mooring.cli.tables import show
from mooring.egress.client import Policy
from mooring.probe import report
from mooring.probe.probing import REPOSITORY, Plan
from mooring.probe.probing import probe as run_probe
from mooring.probe.push import Run

Option = typer.Option


def probe(
    url: Annotated[str, typer.Argument(help="The registry's address.")],
    endpoint: Annotated[
        list[str] | None,
        Option("--endpoint", help="Address of one replica past the load balancer; all pairs are tried."),
    ] = None,
    repository: Annotated[
        str, Option("--repository", help="Repository to push to; a second one ends in -mount.")
    ] = REPOSITORY,
    username: Annotated[
        str | None, Option("--username", help="Or MOORING_PROBE_USERNAME and …_PASSWORD, or docker's login.")
    ] = None,
    password_stdin: Annotated[bool, Option("--password-stdin", help="Read the password from standard input.")] = False,
    anonymous: Annotated[bool, Option("--anonymous", help="Use no credentials, though there are some.")] = False,
    count: Annotated[int, Option("--count", min=1, help="How many rounds.")] = 1,
    interval: Annotated[float, Option("--interval", min=0, help="Seconds between two rounds.")] = 0,
    max_failures: Annotated[
        int, Option("--max-failures", min=0, help="Stop after so many failed pushes; 0: never.")
    ] = 0,
    allow_realm: Annotated[
        list[str] | None,
        Option("--allow-realm", help="Origin of a token service on another host; credentials go there."),
    ] = None,
    output: Annotated[
        Literal["text", "json", "junit", "prometheus"], Option("--output", help="Form of the result.")
    ] = "text",
    ca_file: Annotated[Path | None, Option("--ca-file", help="PEM file with the certificates to trust.")] = None,
    insecure: Annotated[
        bool, Option("--insecure", help="Take any certificate. Credentials can then be stolen.")
    ] = False,
    timeout: Annotated[float, Option("--timeout", min=1, help="Seconds to wait for one answer.")] = 30,
) -> None:
    """Push, pull, compare and delete a small image. Exit 0: all pushes worked, 1: one failed, 2: could not try."""
    place = origin(url)
    plan = Plan(
        place,
        endpoints=tuple(origin(each) for each in endpoint or ()),
        repository=repository,
        credentials=None if anonymous else credentials("MOORING_PROBE", place, username, password_stdin=password_stdin),
        count=count,
        interval_seconds=interval,
        max_failures=max_failures,
        realms=tuple(origin(each) for each in allow_realm or ()),
    )
    policy = Policy(private=True, timeout_seconds=timeout, authority=ca_file, verify=not insecure)
    runs: list[Run] = []

    def seen(run: Run) -> None:
        # On standard error, while it runs: standard output is the result alone.
        print(report.line(run), file=sys.stderr, flush=True)
        runs.append(run)

    try:
        asyncio.run(run_probe(plan, policy, seen))
    except KeyboardInterrupt:
        print("Interrupted. This is what was found so far.", file=sys.stderr, flush=True)
    match output:
        case "text":
            _table(runs)
        case "json":
            print(report.as_json(runs), end="")
        case "junit":
            print(report.as_junit(runs), end="")
        case "prometheus":
            print(report.as_prometheus(runs), end="")
    raise typer.Exit((1 if report.failed(runs) else 0) if runs else 2)


def _table(runs: Sequence[Run]) -> None:
    rows = []
    for (issuer, other), mine in report.by_pair(runs).items():
        fault = next((run.fault for run in mine if run.fault), None)
        first = f"{fault.name} at {fault.endpoint}: {fault.fault}" if fault else ""
        rows.append((issuer, other, str(len(mine)), str(report.failed(mine)), first))
    show(("token of", "pushed with", "pushes", "failed", "first fault"), rows)
