"""`mooring serve`, `mooring worker` and `mooring migrate`."""

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from mooring.cli.listening import address, listening
from mooring.cli.options import Config, Data
from mooring.cluster import naming
from mooring.database import schema
from mooring.database.connect import connect
from mooring.database.revisions import Phase
from mooring.errors import ConfigurationError, Foreign
from mooring.installation import Installed, held, install, wait_until_installed
from mooring.observe import logs
from mooring.observe.metrics_directory import VARIABLE, metrics_directory
from mooring.processes import Supervisor
from mooring.settings import CONFIG_VARIABLE, Settings, load


def serve(
    host: Annotated[
        str | None, typer.Option(envvar="MOORING_HOST", help="Address to listen on; 127.0.0.1 if not given.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="MOORING_PORT", help="Port to listen on; 5000 if not given.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            envvar="MOORING_WORKERS",
            help="Worker processes, all equal replicas; one for each core, at most 4, if not given.",
        ),
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Run the registry. The first start makes everything it needs."""
    settings = load(config, host=host, port=port, workers=workers, data=data)
    with held(settings), listening(settings) as listener:
        try:
            greet(settings, install(settings))
        except Foreign as error:
            if not settings.database_is_shared:
                raise
            # Load balancers and operators ask a replica what is wrong with it, not a process that has gone.
            print(
                f"mooring: {error.text}\nThis replica is not ready until that is mended.", file=sys.stderr, flush=True
            )
        run(settings, config, listener)


def work(
    host: Annotated[
        str | None, typer.Option(envvar="MOORING_HOST", help="Address to listen on; 127.0.0.1 if not given.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(envvar="MOORING_WORKER_PORT", help="Port of /livez, /readyz and /metrics; 5001 if not given."),
    ] = None,
    config: Config = None,
) -> None:
    """Do the background work of a registry on PostgreSQL, and nothing else."""
    settings = load(config, host=host, worker_port=port)
    if not settings.database_is_shared:
        raise ConfigurationError(
            "A registry on SQLite needs no worker: `mooring serve` does its work. "
            "Give MOORING_DATABASE_URL the address of a PostgreSQL."
        )
    settings = settings.model_copy(update={"port": settings.worker_port, "workers": 1})
    with listening(settings) as listener:
        wait_until_installed(settings)
        print(f"Mooring works in the background. http://{address(settings)}/readyz says whether it can.", flush=True)
        run(settings, config, listener, "mooring.worker:create")


def migrate(
    phase: Annotated[
        Phase,
        typer.Option(
            help="`before` replicas are upgraded: only add to the schema. `after` they all were: take away what only "
            "older versions need.",
        ),
    ] = Phase.ALL,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for replicas that still need the older schema to be gone.")
    ] = 0,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make the database, or bring it to this version's schema."""
    settings = load(config, data=data)
    with held(settings):
        installed = install(settings, phase, patience_seconds=wait)
        greet(settings, installed, started=False)
    print("\n".join([*(f"Applied {revision}." for revision in installed.applied), state(settings)]))


def state(settings: Settings) -> str:
    """What is left to do."""
    database = connect(settings)
    try:
        left = [revision.name for revision in database.read_now(schema.pending)]
    finally:
        database.close()
    if not left:
        return "The database is current."
    return f"The database serves this version. Left for `mooring migrate --phase after`: {', '.join(left)}."


def greet(settings: Settings, installed: Installed, *, started: bool = True) -> None:
    place = address(settings)
    if started:
        source = f"PostgreSQL and {settings.store}" if settings.database_is_shared else settings.data
        print(f"Mooring serves {settings.external_url or f'http://{place}'} from {source}.", flush=True)
    if installed.first:
        print("  user      admin")
        if installed.admin_password is None:
            print("  password  the one in MOORING_ADMIN_PASSWORD")
        else:
            print(f"  password  {installed.admin_password}")
            print("  This password is shown once and kept only as a hash.")
    if installed.first and started:
        print("Try:")
        print(f"  docker login {place} -u admin")
        print(f"  docker tag IMAGE {place}/library/IMAGE")
        print(f"  docker push {place}/library/IMAGE", flush=True)


def run(
    settings: Settings, config: Path | None, listener: socket.socket, application: str = "mooring.app:create"
) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in flight. Raises typer.Exit where no worker starts."""
    _hand_down(settings, config)
    logs.configure(settings.log_level, settings.log_format)
    with metrics_directory() as metrics:
        os.environ[VARIABLE] = str(metrics)
        if code := Supervisor(application, listener, settings.workers).run():
            raise typer.Exit(code)


def _hand_down(settings: Settings, config: Path | None) -> None:
    """Workers read their settings anew: from the same file, and from variables for what the command line gave."""
    os.environ.update(
        MOORING_HOST=settings.host,
        MOORING_PORT=str(settings.port),
        MOORING_DATA=str(settings.data.resolve()),
        MOORING_WORKERS=str(settings.workers),
    )
    os.environ[naming.VARIABLE] = naming.server()
    os.environ.pop("MOORING_ADMIN_PASSWORD", None)
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config.resolve())
