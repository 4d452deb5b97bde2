"""A group of commands of which one needs no name: `mooring doctor URL` beside `mooring doctor collect`."""

from typing import Any

from typer.core import TyperGroup


class DefaultGroup(TyperGroup):
    """Takes for its `default` whatever does not begin with the name of another command."""

    default = "examine"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
