"""`mooring master-key`: the key that seals what the database must not show."""

import typer

from mooring.access import keyring
from mooring.cli.opened import opened, operator
from mooring.cli.options import Config, Data
from mooring.errors import PreconditionFailed
from mooring.observe.audit.log import Act, noted

application = typer.Typer(help="The key that seals secrets in the database.", no_args_is_help=True)


@application.command()
def replace(data: Data = None, config: Config = None) -> None:
    """Seal the database's secrets with the new master key. Give the old one as MOORING_MASTER_KEY_PREVIOUS."""
    with opened(config, data) as parts:
        if not parts.master_key.replaces:
            raise PreconditionFailed(
                "Only one master key was given. Give the new one as MOORING_MASTER_KEY and the old one as "
                "MOORING_MASTER_KEY_PREVIOUS (or their files), to this command and before that to every replica."
            )
        act = Act(operator(), "update", "master_key", "master key")
        count = parts.database.write_now(noted(parts.clock.now(), act, keyring.replace_master_key), parts.master_key)
    print(
        f"Sealed {count} signing keys with the new master key. The old one is needed no more: "
        "take MOORING_MASTER_KEY_PREVIOUS from every replica."
    )
