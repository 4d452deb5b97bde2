"""`mooring keys`: the keys that sign tokens."""

from typing import Annotated

import typer
from sqlalchemy import Connection

from mooring.access import keyring
from mooring.cli.opened import opened, operator
from mooring.cli.options import Config, Data
from mooring.cli.tables import show
from mooring.cluster.clock import rfc3339
from mooring.cluster.master_key import MasterKey
from mooring.observe.audit import log as audit
from mooring.observe.audit.log import Act

application = typer.Typer(help="Signing keys of tokens.", no_args_is_help=True)


@application.command("list")
def show_keys(data: Data = None, config: Config = None) -> None:
    """Show the keyring."""
    with opened(config, data) as parts:
        ring = parts.database.read_now(keyring.load, parts.master_key)
    show(
        ("kid", "state", "made", "verifies until"),
        (
            (key.kid, key.state, rfc3339(key.created_at), rfc3339(key.expires_at) if key.expires_at else "")
            for key in ring.keys.values()
        ),
    )


@application.command()
def rotate(
    data: Data = None,
    config: Config = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the new key's id.")] = False,
) -> None:
    """Make a new signing key. It signs once every live replica has loaded it; the old one verifies on."""
    with opened(config, data) as parts:
        now = parts.clock.now()
        kid = parts.database.write_now(_create, parts.master_key, now)
        parts.database.write_now(keyring.advance, now)
    print(kid if quiet else f"The key {kid} is pending. It signs when every live replica has loaded it.")


def _create(connection: Connection, master_key: MasterKey, now: int) -> str:
    kid = keyring.create(connection, master_key, now)
    audit.note(connection, now, Act(operator(), "create", "signing_key", kid))
    return kid
