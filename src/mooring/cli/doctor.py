"""`mooring doctor`: why a registry refuses pushes."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from mooring.cli.groups import DefaultGroup
from mooring.cli.looking import looking
from mooring.doctor import bundle, fix
from mooring.doctor.examination import Diagnosis, diagnose
from mooring.doctor.gathering import Wanted, gather
from mooring.doctor.report import page, text
from mooring.doctor.report.document import document
from mooring.doctor.texts import Language

application = typer.Typer(
    help="Find out why a registry refuses pushes. It changes nothing there: an upload that it opens is cancelled "
    "at once. `mooring doctor URL` is short for `mooring doctor examine URL`.",
    no_args_is_help=True,
    cls=DefaultGroup,
)
fixes = typer.Typer(help="Print what mends a fault. Nothing is applied.", no_args_is_help=True)
application.add_typer(fixes, name="fix")

Form = Literal["text", "json", "html"]

Output = Annotated[Form, typer.Option("--output", help="Form of the report.")]
Lang = Annotated[Language, typer.Option("--lang", help="Language of the report.")]


@application.command()
@looking
def examine(wanted: Wanted, output: Output = "text", lang: Lang = "en") -> None:
    """Examine a registry and report. Exit 0: nothing found, 1: findings, 2: could not look."""
    diagnosis = diagnose(asyncio.run(gather(wanted)))
    print(rendered(diagnosis, output, lang), end="")
    raise typer.Exit(1 if diagnosis.findings else 0)


@application.command()
@looking
def collect(
    wanted: Wanted, file: Annotated[Path, typer.Argument(help="File to write, for `mooring doctor --bundle FILE`.")]
) -> None:
    """Look, and keep what was seen in a file: no secret, but names and addresses. To be examined elsewhere."""
    seen = asyncio.run(gather(wanted))
    bundle.write(file, seen)
    print(f"{file} is written. Examine it with: mooring doctor --bundle {file}")
    for gap in seen.gaps:
        print(f"not looked at: {gap.what.en}: {gap.why.en}")


@fixes.command("harbor-token-key")
def harbor_token_key(
    name: Annotated[str, typer.Option("--name", help="Name of the Secret.")] = "harbor-token-key",
    namespace: Annotated[str, typer.Option("--namespace", help="Namespace of Harbor.")] = "harbor",
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", help="Take this PEM key, so that tokens stay good; else a new one is made."),
    ] = None,
    only: Annotated[
        Literal["secret", "values"] | None, typer.Option("--only", help="Print one of the two, for a file of its own.")
    ] = None,
) -> None:
    """Print a Secret with a token signing key, and the values by which Harbor's chart gives it to every core."""
    if only != "values":
        print(fix.harbor_secret(fix.token_key(from_file), name, namespace), end="")
    if only is None:
        print("---")
    if only != "secret":
        print(fix.harbor_values(name), end="")


def rendered(diagnosis: Diagnosis, form: Form, language: Language) -> str:
    report = document(diagnosis, language)
    match form:
        case "json":
            return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        case "html":
            return page.rendered(report, language)
        case "text":
            return text.rendered(report, language)
