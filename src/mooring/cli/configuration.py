"""`mooring config check`."""

import os

import typer

from mooring.cli.opened import settings_of
from mooring.cli.options import Config, Data
from mooring.cluster.master_key import master_key
from mooring.settings import Settings

application = typer.Typer(help="Look at the configuration.", no_args_is_help=True)

OTHER_VARIABLES = frozenset({"MOORING_CONFIG", "MOORING_TOOLS", "MOORING_REQUIRE_TOOLS"})
SECRETS = frozenset({"admin_password", "master_key"})


@application.command()
def check(data: Data = None, config: Config = None) -> None:
    """Say what each setting is and whether a server could start with it."""
    settings = settings_of(config, data=data)
    for name in Settings.model_fields:
        value = getattr(settings, name)
        shown = "(set)" if name in SECRETS and value is not None else value
        print(f"{name:28} {'' if shown is None else shown}")
    known = {f"MOORING_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    for variable in sorted(set(os.environ)):
        if variable.startswith("MOORING_") and variable not in known:
            print(f"warning: {variable} is set, but Mooring has no such setting")
    if settings.database_path.exists():
        master_key(settings, create=False)
    print("The configuration is valid.")
