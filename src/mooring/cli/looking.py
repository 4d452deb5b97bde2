"""The options that say what `mooring doctor` looks at."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from mooring.cli.opened import opened
from mooring.cli.options import Config, Data
from mooring.cli.origins import credentials, origin
from mooring.doctor.gathering import Wanted
from mooring.doctor.here import Here, Manner
from mooring.doctor.inside.marks import marker
from mooring.doctor.kubernetes import kubeconfig as kubeconfigs
from mooring.doctor.outside.harbor import SAMPLES, Question
from mooring.egress.client import Policy
from mooring.errors import Invalid

Option = typer.Option

Target = Annotated[str | None, typer.Argument(help="The registry's address, as its clients use it.")]
Harbor = Annotated[str | None, Option("--harbor", help="The same, for a Harbor.")]
Cores = Annotated[
    list[str] | None,
    Option("--core", help="Address of one core behind the load balancer; give each. Credentials go there too."),
]
Username = Annotated[
    str | None, Option("--username", help="Or MOORING_DOCTOR_USERNAME and …_PASSWORD, or docker's login.")
]
PasswordStdin = Annotated[bool, Option("--password-stdin", help="Read the password from standard input.")]
Anonymous = Annotated[bool, Option("--anonymous", help="Use no credentials, though there are some.")]
Repository = Annotated[
    str | None, Option("--repository", help="Repository to try, PROJECT/NAME; found by itself if not given.")
]
MountFrom = Annotated[str | None, Option("--mount-from", help="Repository that refused pushes mount layers from.")]
LongestUpload = Annotated[float, Option("--longest-upload", help="Minutes that your longest upload takes.")]
Upload = Annotated[
    bool,
    Option("--upload", help="Open an upload also where it can't be cancelled, for an account that may not delete."),
]
NoUpload = Annotated[bool, Option("--no-upload", help="Open no upload, not even one that is cancelled.")]
Samples = Annotated[int, Option("--samples", min=1, max=500, help="How many tokens to ask each address for.")]
CaFile = Annotated[Path | None, Option("--ca-file", help="PEM file with the certificates to trust.")]
Insecure = Annotated[bool, Option("--insecure", help="Take any certificate. Credentials can then be stolen.")]
Timeout = Annotated[float, Option("--timeout", min=1, help="Seconds to wait for one answer.")]
KubeContext = Annotated[
    str | None, Option("--kube-context", help="Context of the kubeconfig; its current one if not given.")
]
KubeConfig = Annotated[
    Path | None, Option("--kubeconfig", help="The file; else KUBECONFIG, ~/.kube/config or the pod's account.")
]
Namespace = Annotated[str | None, Option("--namespace", help="Namespace of a Harbor in Kubernetes. It is only read.")]
Compose = Annotated[
    list[Path] | None,
    Option("--compose", help="Directory of Harbor's installer, with docker-compose.yml; one for each node."),
]
Logs = Annotated[list[Path] | None, Option("--logs", help="Log file of a core or registry; give each.")]
Bundles = Annotated[list[Path] | None, Option("--bundle", help="File of `mooring doctor collect`; give each.")]
HereOption = Annotated[
    bool, Option("--here", help="Examine the Mooring whose settings these are: its database, and its store.")
]
Store = Annotated[
    Manner,
    Option(
        "--store",
        help="How much of the store --here compares with the index: some blobs, all sizes, every byte, or nothing.",
    ),
]
KeyFile = Annotated[
    Path | None,
    Option(
        "--key-file", help="File whose content keys the hashes of secrets: the same where bundles are to be compared."
    ),
]


def wanted(
    target: Target = None,
    harbor: Harbor = None,
    core: Cores = None,
    username: Username = None,
    password_stdin: PasswordStdin = False,
    anonymous: Anonymous = False,
    repository: Repository = None,
    mount_from: MountFrom = None,
    longest_upload: LongestUpload = 0,
    upload: Upload = False,
    no_upload: NoUpload = False,
    samples: Samples = SAMPLES,
    ca_file: CaFile = None,
    insecure: Insecure = False,
    timeout: Timeout = 20,
    namespace: Namespace = None,
    kube_context: KubeContext = None,
    kubeconfig: KubeConfig = None,
    compose: Compose = None,
    logs: Logs = None,
    bundle: Bundles = None,
    key_file: KeyFile = None,
    here: HereOption = False,
    store: Store = "sample",
    data: Data = None,
    config: Config = None,
) -> Wanted:
    """What the options ask for. Raises Invalid."""
    if target and harbor:
        raise Invalid("Give the address once, as TARGET or by --harbor.")
    named = target or harbor
    entrance = origin(named) if named else ""
    cores = tuple(origin(each) for each in core or ())
    asked = entrance or next(iter(cores), "")
    question = Question(
        entrance=entrance,
        cores=cores,
        credentials=None
        if anonymous
        else credentials("MOORING_DOCTOR", asked, username, password_stdin=password_stdin),
        repository=repository or "",
        mount_from=mount_from or "",
        uploads="never" if no_upload else "always" if upload else "cancelled",
        samples=samples,
        longest_upload_seconds=longest_upload * 60,
    )
    access = kubeconfigs.load(kube_context, kubeconfig) if namespace or kube_context or kubeconfig else None
    return Wanted(
        question,
        Policy(private=True, timeout_seconds=timeout, authority=ca_file, verify=not insecure),
        directories=tuple(compose or ()),
        logs=tuple(logs or ()),
        bundles=tuple(bundle or ()),
        namespace=namespace or (access.namespace if access else "") or "default",
        access=access,
        marker=marker(key_file),
        here=partial(_opened, config, data, store) if here else None,
    )


@contextmanager
def _opened(config: Path | None, data: Path | None, manner: Manner) -> Iterator[Here]:
    with opened(config, data) as parts:
        yield Here(parts.database, parts.store, parts.clock, parts.configuration.settings, manner)


def looking(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command, whose first parameter is what is wanted, all of these options."""
    shared = inspect.signature(wanted).parameters
    own = list(inspect.signature(command).parameters.values())[1:]
    first = [each for each in own if each.default is inspect.Parameter.empty]
    rest = [each for each in own if each not in first]

    def run(**given: Any) -> None:
        command(wanted(**{name: given.pop(name) for name in shared}), **given)

    # Typer reads options off a signature alone and takes no group of them, so that commands that share these are given
    # one put together. An argument of the command's own comes before the target.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*first, *shared.values(), *rest)]
    )
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    return run
