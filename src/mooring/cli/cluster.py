"""`mooring cluster`: the replicas, as each last said of itself."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Console

from mooring.cli.opened import opened
from mooring.cli.options import AsJson, Config, Data, Output
from mooring.cli.tables import show
from mooring.cluster import heartbeat
from mooring.cluster.clock import SECOND
from mooring.cluster.heartbeat import Replica
from mooring.database import schema

application = typer.Typer(help="The replicas of this registry.", no_args_is_help=True)


@application.command()
def status(
    output: Output = "text",
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show each replica: version, keys, clock, configuration, failed checks. Exit 1 when one is not ready."""
    with opened(config, data) as parts:
        now, replicas = parts.clock.now(), parts.database.read_now(heartbeat.known)
        left = [revision.name for revision in parts.database.read_now(schema.pending)]
    if as_json or output == "json":
        print(json.dumps([{**asdict(replica), "alive": replica.alive(now)} for replica in replicas], indent=2))
    else:
        _print(replicas, now, left)
    if not all(replica.pulse.ready and replica.alive(now) for replica in replicas):
        raise typer.Exit(1)


def _print(replicas: Sequence[Replica], now: int, left: Sequence[str]) -> None:
    columns = ("replica", "role", "version", "schema", "ready", "keys", "configuration", "clock", "seen")
    show(columns, [_row(replica, now) for replica in replicas])
    console = Console()
    for replica in replicas:
        for check, reason in replica.pulse.failed.items():
            console.print(f"{replica.name}: {check}: {reason}", markup=False, soft_wrap=True)
    for name, hosts in heartbeat.namesakes(replicas, now).items():
        console.print(f"{name}: {heartbeat.shared_name(name, hosts)}", markup=False, soft_wrap=True)
    if left:
        console.print(
            f"Schema {', '.join(left)} is left to be applied, once no older version is needed any more: "
            "mooring migrate --phase after",
            soft_wrap=True,
        )


def _row(replica: Replica, now: int) -> Sequence[str]:
    pulse = replica.pulse
    return (
        replica.name,
        pulse.role,
        replica.version,
        replica.schema,
        _state(replica, now),
        str(len(pulse.keys)),
        f"version {pulse.configuration_version}",
        f"{pulse.clock_offset / SECOND:+.3f} s ± {pulse.clock_error / SECOND:.3f}",
        f"{(now - replica.seen_at) / SECOND:.0f} s ago",
    )


def _state(replica: Replica, now: int) -> str:
    if not replica.alive(now):
        return "gone"
    return "yes" if replica.pulse.ready else "no"
