"""`mooring user`: people's accounts, for when the API can't be used yet or any more."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, Row, select

from mooring.cli.opened import opened, operator
from mooring.cli.options import Config, Data
from mooring.cli.tables import show
from mooring.cluster.clock import rfc3339
from mooring.errors import NotFound
from mooring.identity import accounts, users
from mooring.identity.accounts import require_strong
from mooring.identity.passwords import hash_password
from mooring.identity.tables import users as users_table
from mooring.observe.audit.log import Act, noted

Change = Callable[[Connection, int, int], None]
"""A transaction: the connection, the time now, the user's id."""

application = typer.Typer(help="People's accounts.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="User name.")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@application.command("list")
def show_users(data: Data = None, config: Config = None) -> None:
    """Show all users."""
    with opened(config, data) as parts:
        rows = parts.database.read_now(_all)
    show(
        ("id", "name", "e-mail", "system admin", "disabled", "made"),
        (
            (
                str(row.id),
                row.username,
                row.email or "",
                "yes" if row.system_admin else "",
                "yes" if row.disabled else "",
                rfc3339(row.created_at),
            )
            for row in rows
        ),
    )


@application.command()
def create(
    name: Name,
    email: Annotated[str | None, typer.Option(help="E-mail address.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Make a system administrator.")] = False,
    password_stdin: FromInput = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a user."""
    password = _password(password_stdin)
    with opened(config, data) as parts:
        now = parts.clock.now()
        parts.database.write_now(
            noted(now, Act(operator(), "create", "user", name), users.create),
            now,
            username=name,
            password_hash=hash_password(password),
            email=email,
            system_admin=admin,
        )
    print(f"The user {name} was made.")


@application.command("password")
def set_password(name: Name, password_stdin: FromInput = False, data: Data = None, config: Config = None) -> None:
    """Give a user a new password, and end what the old one opened."""
    password = _password(password_stdin)
    hashed = hash_password(password)
    _change(data, config, name, partial(accounts.set_password, password_hash=hashed, by_admin=True), "a new password")
    print(f"The user {name} has a new password.")


@application.command()
def disable(name: Name, data: Data = None, config: Config = None) -> None:
    """Refuse a user everything, at once and everywhere."""
    _change(data, config, name, partial(accounts.set_disabled, disabled=True), "disabled")
    print(f"The user {name} is disabled.")


@application.command()
def enable(name: Name, data: Data = None, config: Config = None) -> None:
    """Let a disabled user in again."""
    _change(data, config, name, partial(accounts.set_disabled, disabled=False), "enabled")
    print(f"The user {name} is enabled.")


def _change(data: Data, config: Config, name: str, change: Change, said: str) -> None:
    with opened(config, data) as parts:
        now = parts.clock.now()
        apply = noted(now, Act(operator(), "update", "user", name, description=said), _apply)
        parts.database.write_now(apply, now, name, change)


def _apply(connection: Connection, now: int, name: str, change: Change) -> None:
    user = users.by_name(connection, name)
    if user is None:
        raise NotFound(f"There is no user {name}.")
    change(connection, now, user["id"])


def _all(connection: Connection) -> Sequence[Row[*tuple[Any, ...]]]:
    return connection.execute(select(users_table).order_by(users_table.c.username)).all()


def _password(from_input: bool) -> str:
    if from_input:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return require_strong(password)
