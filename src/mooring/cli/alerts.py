"""`mooring alerts`: what is wrong now, and whether its notices come through."""

import asyncio
import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict

import typer

from mooring.assembly import Parts
from mooring.cli.opened import opened
from mooring.cli.options import AsJson, Config, Data, Output
from mooring.cli.tables import show
from mooring.cluster.clock import rfc3339
from mooring.errors import Invalid
from mooring.observe.alerts import channels, notices, state
from mooring.observe.alerts.channels import Undelivered
from mooring.observe.alerts.conditions import Severity
from mooring.observe.alerts.notices import Notice
from mooring.observe.alerts.state import Alert

application = typer.Typer(help="What is wrong now, and who is told.")


@application.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    output: Output = "text",
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show the alerts that last, and notices that did not come through. Exit 1 when there are any."""
    if context.invoked_subcommand is not None:
        return
    with opened(config, data) as parts:
        found = parts.database.read_now(state.active)
        stuck = parts.database.read_now(notices.undelivered)
        wrong = any(state.stands(alert, parts.configuration.settings) for alert in found)
    as_json = as_json or output == "json"
    if as_json:
        print(json.dumps([asdict(alert) for alert in found], indent=2))
    else:
        show(("condition", "severity", "subject", "since", "told", "text"), [_row(alert) for alert in found])
    for channel, attempts, error in stuck:
        # Beside JSON too: nothing else in it would explain the exit code.
        print(
            f"A notice by {channel} did not come through, {attempts} times: {error}",
            file=sys.stderr if as_json else sys.stdout,
        )
    if stuck or wrong:
        raise typer.Exit(1)


@application.command("test")
def send_test(data: Data = None, config: Config = None) -> None:
    """Send a notice through every channel that is set up. Exit 1 when one does not come through."""
    with opened(config, data) as parts:
        names = channels.configured(parts.configuration.settings)
        if not names:
            raise Invalid("No channel is set up: set MOORING_ALERT_WEBHOOK or alert_mail_server.")
        results = asyncio.run(_tests(parts, names))
    for name, error in results:
        print(f"{name}: {error or 'sent'}")
    if any(error for _, error in results):
        raise typer.Exit(1)


async def _tests(parts: Parts, names: Sequence[str]) -> Sequence[tuple[str, str]]:
    sender = await parts.watchman.sender()
    found = []
    for name in names:
        now = parts.clock.now()
        text = "This is a test: nothing is wrong."
        remedy = "Nothing is to be done."
        notice = Notice(secrets.token_hex(16), 0, name, "test", "test", Severity.WARNING, "", text, remedy, now, now)
        try:
            await channels.send(notice, sender, parts.configuration.settings)
            found.append((name, ""))
        except Undelivered as error:
            found.append((name, str(error)))
    return found


def _row(alert: Alert) -> Sequence[str]:
    told = rfc3339(alert.notified_at) if alert.notified_at is not None else "not yet"
    text = " ".join(alert.text.split())
    return alert.condition, str(alert.severity), alert.subject, rfc3339(alert.since), told, text
