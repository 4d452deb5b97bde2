"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="MOORING_DATA",
        help="Directory for the database, the bytes and the master key; ./data if not given.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="MOORING_CONFIG", help="TOML file with settings, by their names in lower case."),
]

Form = Literal["text", "json"]
Output = Annotated[Form, typer.Option("--output", help="Form of what is printed.")]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --output json.")]
