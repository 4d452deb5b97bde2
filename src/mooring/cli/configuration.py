"""`mooring config`: what this replica was told, and what all of them are told while serving."""

import os
from typing import Annotated, Any

import typer

from mooring.cli.opened import opened, operator
from mooring.cli.options import Config, Data
from mooring.cli.tables import show
from mooring.cluster import configuration
from mooring.cluster.clock import rfc3339
from mooring.cluster.master_key import master_key
from mooring.database.connect import connect
from mooring.observe.audit.log import Act, noted
from mooring.settings import Settings, load
from mooring.storage.connect import open_store

application = typer.Typer(help="Look at the configuration.", no_args_is_help=True)

OTHER_VARIABLES = frozenset(
    {
        "MOORING_CONFIG",
        "MOORING_DOCTOR_PASSWORD",
        "MOORING_DOCTOR_USERNAME",
        "MOORING_PROBE_PASSWORD",
        "MOORING_PROBE_USERNAME",
        "MOORING_REQUIRE_TOOLS",
        "MOORING_TOOLS",
    }
)
SECRETS = frozenset({"admin_password", "alert_mail_password", "alert_webhook", "database_url", "master_key"})


@application.command()
def check(data: Data = None, config: Config = None) -> None:
    """Say what each setting is and whether a server could start with it."""
    settings = load(config, data=data)
    for name in Settings.model_fields:
        value = getattr(settings, name)
        shown = "(set)" if name in SECRETS and value is not None else value
        print(f"{name:28} {'(unset)' if shown is None else shown}")
    known = {f"MOORING_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    for variable in sorted(set(os.environ)):
        if variable.startswith("MOORING_") and variable not in known:
            print(f"warning: {variable} is set, but Mooring has no such setting")
    # Each raises for what this version can't follow.
    connect(settings).close()
    open_store(settings).close()
    if settings.database_is_shared or settings.database_path.exists():
        master_key(settings, create=False)
    print("The configuration is valid.")


@application.command("list")
def show_settings(data: Data = None, config: Config = None) -> None:
    """Show what may be changed while serving, and what is in force."""
    with opened(config, data) as parts:
        found = parts.database.read_now(configuration.newest)
        settings = parts.configuration.settings
    changed = found.values if found is not None else {}
    values = {name: getattr(settings, name) for name in configuration.CHANGEABLE}
    show(
        ("setting", "value", "from"),
        (
            (name, "" if value is None else str(value), "database" if name in changed else "this replica's settings")
            for name, value in values.items()
        ),
    )


@application.command("set")
def change(
    name: Annotated[str, typer.Argument(help="Name of the setting.")],
    value: Annotated[str, typer.Argument(help="Its new value.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Change a setting on all replicas, within two seconds."""
    _change(data, config, name, configuration.parse(name, value))


@application.command()
def unset(
    name: Annotated[str, typer.Argument(help="Name of the setting.")], data: Data = None, config: Config = None
) -> None:
    """Let each replica's own settings hold again."""
    configuration.parse(name, "null")
    _change(data, config, name, None)


@application.command()
def history(data: Data = None, config: Config = None) -> None:
    """Show who changed what, newest first."""
    with opened(config, data) as parts:
        versions = parts.database.read_now(configuration.history, 100)
    show(
        ("version", "changed", "by", "all that was set"),
        (
            (
                str(version.number),
                rfc3339(version.changed_at),
                version.changed_by,
                ", ".join(f"{name}={value}" for name, value in version.values.items()),
            )
            for version in versions
        ),
    )


def _change(data: Data, config: Config, name: str, value: Any) -> None:
    with opened(config, data) as parts:
        by, now = operator(), parts.clock.now()
        said = f"{name} unset" if value is None else f"{name}={value}"
        change = noted(now, Act(by, "update", "configure", name, description=said), configuration.change)
        version = parts.database.write_now(change, now, by, {name: value})
    print(f"Version {version.number} of the configuration is in force on all replicas within two seconds.")
