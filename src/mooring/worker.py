"""The application of `mooring worker`: the cluster's work, and what says whether it is done."""

import contextlib
import sys
from collections.abc import AsyncIterator
from functools import partial

from starlette.routing import Router
from starlette.types import ASGIApp

from mooring.app import health, nothing
from mooring.assembly import Parts, assemble
from mooring.cluster import heartbeat
from mooring.errors import MooringError
from mooring.http.edge import Edge
from mooring.jobs.periodic import Rounds
from mooring.observe import logs
from mooring.presence import beat, leave, living
from mooring.server.serving import Served
from mooring.settings import load


def create() -> Served:
    """The entry of the process, which ends here with a message when it can't work."""
    try:
        settings = load()
        logs.configure(settings.log_level, settings.log_format)
        return Served(application(assemble(settings)))
    except MooringError as error:
        sys.exit(f"mooring: {error.text}")


def application(parts: Parts) -> ASGIApp:
    told = Router(health(parts), redirect_slashes=False, default=nothing, lifespan=partial(lifespan, parts))
    return Edge(told, parts.replica, parts.metrics, parts.denials)


@contextlib.asynccontextmanager
async def lifespan(parts: Parts, _application: object) -> AsyncIterator[None]:
    await parts.readiness.look()
    await beat(parts, heartbeat.WORKER)
    rounds = Rounds(living(parts, heartbeat.WORKER))
    rounds.start()
    try:
        yield
    finally:
        await rounds.stop()
        await leave(parts)
