"""`mooring doctor`: why a registry refuses pushes."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mooring.cli.groups import DefaultGroup
from mooring.cli.origins import credentials, origin
from mooring.doctor.examination import Diagnosis, diagnose
from mooring.doctor.gathering import Wanted, gather
from mooring.doctor.outside.harbor import SAMPLES, Question
from mooring.doctor.report import page, text
from mooring.doctor.report.document import document
from mooring.doctor.texts import Language
from mooring.egress.client import Policy
from mooring.errors import Invalid

application = typer.Typer(
    help="Find out why a registry refuses pushes. It changes nothing there: the uploads that it opens are cancelled "
    "at once. `mooring doctor URL` is short for `mooring doctor examine URL`.",
    no_args_is_help=True,
    cls=DefaultGroup,
)

Form = Literal["text", "json", "html"]

Target = Annotated[str | None, typer.Argument(help="The registry's address, as its clients use it.")]
Harbor = Annotated[str | None, typer.Option("--harbor", help="The same, for a Harbor.")]
Cores = Annotated[
    list[str] | None,
    typer.Option("--core", help="Address of one core behind the load balancer; give each. Credentials go there too."),
]
Username = Annotated[
    str | None, typer.Option("--username", help="Or MOORING_DOCTOR_USERNAME and …_PASSWORD, or docker's login.")
]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Anonymous = Annotated[bool, typer.Option("--anonymous", help="Use no credentials, though there are some.")]
Repository = Annotated[
    str | None, typer.Option("--repository", help="Repository to try, PROJECT/NAME; found by itself if not given.")
]
MountFrom = Annotated[
    str | None, typer.Option("--mount-from", help="Repository that refused pushes mount layers from.")
]
LongestUpload = Annotated[float, typer.Option("--longest-upload", help="Minutes that your longest upload takes.")]
NoUpload = Annotated[bool, typer.Option("--no-upload", help="Open no upload, not even one that is cancelled.")]
Samples = Annotated[int, typer.Option("--samples", min=1, max=500, help="How many tokens to ask each address for.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="PEM file with the certificates to trust.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Take any certificate. Credentials can then be stolen.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for one answer.")]
Output = Annotated[Form, typer.Option("--output", help="Form of the report.")]
Lang = Annotated[Language, typer.Option("--lang", help="Language of the report.")]


@application.command()
def examine(
    target: Target = None,
    harbor: Harbor = None,
    core: Cores = None,
    username: Username = None,
    password_stdin: PasswordStdin = False,
    anonymous: Anonymous = False,
    repository: Repository = None,
    mount_from: MountFrom = None,
    longest_upload: LongestUpload = 0,
    no_upload: NoUpload = False,
    samples: Samples = SAMPLES,
    ca_file: CaFile = None,
    insecure: Insecure = False,
    timeout: Timeout = 20,
    output: Output = "text",
    lang: Lang = "en",
) -> None:
    """Examine a registry and report. Exit 0: nothing found, 1: findings, 2: could not look."""
    entrance = _entrance(target, harbor)
    cores = tuple(origin(each) for each in core or ())
    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    first = entrance or (cores[0] if cores else "")
    account = None if anonymous else credentials("MOORING_DOCTOR", first, username, given)
    if username and account is None:
        raise Invalid("--username needs --password-stdin.")
    wanted = Wanted(
        Question(
            entrance=entrance,
            cores=cores,
            credentials=account,
            repository=repository or "",
            mount_from=mount_from or "",
            uploads=not no_upload,
            samples=samples,
            longest_upload_seconds=longest_upload * 60,
        ),
        Policy(private=True, timeout_seconds=timeout, authority=ca_file, verify=not insecure),
    )
    diagnosis = diagnose(asyncio.run(gather(wanted)))
    print(rendered(diagnosis, output, lang), end="")
    raise typer.Exit(1 if diagnosis.findings else 0)


def rendered(diagnosis: Diagnosis, form: Form, language: Language) -> str:
    report = document(diagnosis, language)
    match form:
        case "json":
            return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        case "html":
            return page.rendered(report, language)
        case "text":
            return text.rendered(report, language)


def _entrance(target: str | None, harbor: str | None) -> str:
    if target and harbor:
        raise Invalid("Give the address once, as TARGET or by --harbor.")
    named = target or harbor
    return origin(named) if named else ""
