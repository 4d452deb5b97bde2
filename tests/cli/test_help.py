"""Every command and every option says what it is for."""

from collections.abc import Iterator

import pytest
import typer.main
from typer.core import TyperGroup

from mooring.cli.main import application


def commands(group: object, path: str = "mooring") -> Iterator[tuple[str, object]]:
    yield path, group
    if isinstance(group, TyperGroup):
        for name, command in group.commands.items():
            yield from commands(command, f"{path} {name}")


COMMANDS = dict(commands(typer.main.get_command(application)))


@pytest.mark.parametrize("path", COMMANDS)
def test_has_help(path: str) -> None:
    command = COMMANDS[path]
    assert getattr(command, "help", None), f"{path} has no help text"
    for parameter in getattr(command, "params", []):
        assert getattr(parameter, "help", None), f"{path}: {parameter.name} has no help text"


def test_there_are_commands_to_look_at() -> None:
    assert {"mooring serve", "mooring user create", "mooring keys rotate"} <= set(COMMANDS)
