"""`mooring`: one command for everything an operator does."""

import sys

import typer
from rich.console import Console

from mooring import __version__
from mooring.cli import (
    alerts,
    audit,
    checks,
    cluster,
    configuration,
    denials,
    doctor,
    explain,
    keys,
    master_key,
    probe,
    serve,
    store,
    users,
)
from mooring.errors import MooringError

application = typer.Typer(
    help="Mooring: a container registry that explains every refusal.\n\n"
    "`mooring serve` starts one here, with its data in ./data. Settings come from options, MOORING_… variables "
    "and a TOML file, in this order of strength; `mooring config check` shows them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
application.command("serve")(serve.serve)
application.command("worker")(serve.work)
application.command("migrate")(serve.migrate)
application.add_typer(configuration.application, name="config")
application.add_typer(users.application, name="user")
application.add_typer(keys.application, name="keys")
application.add_typer(cluster.application, name="cluster")
application.add_typer(alerts.application, name="alerts")
application.add_typer(doctor.application, name="doctor")
application.add_typer(master_key.application, name="master-key")
application.add_typer(store.application, name="store")
application.command("probe")(probe.probe)
application.command("audit")(audit.audit)
application.command("denials")(denials.denials)
application.command("explain")(explain.explain)
application.command("gc")(checks.collect)
application.command("check")(checks.check)


@application.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    try:
        application()
    except MooringError as error:
        Console(stderr=True, highlight=False).print(
            f"mooring: {error.text}", style="bold red", markup=False, soft_wrap=True
        )
        sys.exit(2)
