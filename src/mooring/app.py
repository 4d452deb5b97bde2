"""Builds the application from settings: the one place where the parts meet."""

import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import DBAPIError
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from mooring import background
from mooring.access import challenge
from mooring.access.authorizer import Authorizer
from mooring.access.caller import Callers
from mooring.access.epoch import POLL_SECONDS, Epoch
from mooring.access.keyholder import KeyHolder
from mooring.access.rotation import Rotation
from mooring.access.standing import Standings
from mooring.access.token_endpoint import TokenEndpoint
from mooring.api.app import management_api
from mooring.api.entrance import PREFIX
from mooring.api.parts import Parts as ApiParts
from mooring.cluster import heartbeat, identity, naming
from mooring.cluster.clock import SECOND, Clock
from mooring.cluster.configuration import Configuration, newest
from mooring.cluster.gate import Gate
from mooring.cluster.heartbeat import Pulse
from mooring.cluster.master_key import MasterKey, master_key
from mooring.cluster.naming import replica_name
from mooring.cluster.readiness import Readiness
from mooring.database import Database
from mooring.database.connect import connect
from mooring.database.schema import require_served
from mooring.errors import ConfigurationError, MethodNotAllowed, MooringError, NotFound
from mooring.http.ahead import ReceivingAhead
from mooring.http.edge import Edge
from mooring.identity.credentials import Credentials
from mooring.jobs.periodic import Periodic, Rounds
from mooring.jobs.turns import LOOK_SECONDS, Turns
from mooring.jobs.work import Work
from mooring.observe import logs
from mooring.observe.metrics import Metrics, exposition
from mooring.projects import standing
from mooring.refusals import Reason, Refused
from mooring.registry.collector import Collector
from mooring.registry.endpoints.application import RegistryApplication
from mooring.registry.images import Images
from mooring.registry.pulls import Pulls
from mooring.registry.registry import Registry
from mooring.registry.uploads import Hashes
from mooring.settings import Settings, load
from mooring.storage import Store
from mooring.storage.connect import open_store
from mooring.web.landing import landing

HEARTBEAT_SECONDS = 5.0
KEYS_SECONDS = 1.0
CONFIGURATION_SECONDS = 1.0
READINESS_SECONDS = 1.0


@dataclass(frozen=True)
class Parts:
    """Everything that one worker process holds. Whether it is the cluster's is for `readiness` to see."""

    settings: Settings
    replica: str
    database: Database
    store: Store
    master_key: MasterKey
    clock: Clock
    keys: KeyHolder
    rotation: Rotation
    epoch: Epoch
    configuration: Configuration
    credentials: Credentials
    callers: Callers
    standings: Standings
    authorizer: Authorizer
    collector: Collector
    registry: Registry
    metrics: Metrics
    readiness: Readiness
    works: Sequence[Work]
    turns: Turns


def create() -> ASGIApp:
    """The entry of each worker process, which ends here with a message when it can't serve."""
    try:
        settings = load()
        logs.configure(settings.log_level, settings.log_format)
        return ReceivingAhead(application(assemble(settings)))
    except MooringError as error:
        sys.exit(f"mooring: {error.text}")


def assemble(settings: Settings) -> Parts:
    replica = replica_name(settings)
    database = connect(settings)
    sealing = master_key(settings, create=False)
    store = open_store(settings, database.read_now(identity.cluster_id))
    clock = Clock(database)
    keys = KeyHolder(database, sealing)
    epoch = Epoch(database)
    configuration = Configuration(database, settings)
    # What a schema holds that is not ours says nothing to us.
    with contextlib.suppress(ConfigurationError):
        database.read_now(require_served)
        configuration.adopt(database.read_now(newest))
    credentials = Credentials(database, clock)
    callers = Callers(credentials, keys, clock)
    standings = Standings(database, clock, epoch, standing.evaluate)
    authorizer = Authorizer(standings)
    metrics = Metrics(replica)
    readiness = Readiness(
        {
            "schema": partial(database.read, require_served),
            "master_key": partial(database.read, identity.require_master_key, sealing),
            "database": epoch.poll,
            "store": store.check,
            "keyring": keys.signing,
        }
    )
    collector = Collector(database, store, clock, configuration)
    works = background.works(database, clock, configuration, collector, metrics)
    engine = background.engine(settings, works, metrics, clock)
    return Parts(
        settings=settings,
        replica=replica,
        database=database,
        store=store,
        master_key=sealing,
        clock=clock,
        keys=keys,
        rotation=Rotation(database, clock, keys, sealing, configuration, replica),
        epoch=epoch,
        configuration=configuration,
        credentials=credentials,
        callers=callers,
        standings=standings,
        authorizer=authorizer,
        collector=collector,
        registry=Registry(
            database, store, clock, configuration, callers, authorizer, standing.visible, Hashes(), Pulls()
        ),
        metrics=metrics,
        readiness=readiness,
        works=works,
        turns=Turns(engine, settings, database, clock, readiness),
    )


def application(parts: Parts) -> ASGIApp:
    registry = RegistryApplication(parts.registry)
    management = management_api(api_parts(parts))
    # A router and not a Starlette application: that one would answer 500 for what the edge explains.
    rest = Router(routes(parts), redirect_slashes=False, default=nothing, lifespan=partial(lifespan, parts))

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"].startswith("/v2/") or scope["path"] == "/v2"):
            await registry(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/"):
            await management(scope, receive, send)
        else:
            await rest(scope, receive, send)

    gate = Gate(by_path, parts.readiness, partial(where_to_log_in, parts.settings))
    return Edge(gate, parts.replica, parts.metrics)


async def where_to_log_in(settings: Settings, scope: Scope, _receive: Receive, _send: Send) -> None:
    """By the replica's own settings: those in a database that is not the cluster's may lead elsewhere."""
    refused = Refused(Reason.AUTHENTICATION_REQUIRED)
    refused.challenge = challenge.bearer(challenge.origin(HTTPConnection(scope), settings))
    raise refused


def api_parts(parts: Parts) -> ApiParts:
    return ApiParts(
        database=parts.database,
        clock=parts.clock,
        configuration=parts.configuration,
        callers=parts.callers,
        passwords=parts.credentials.passwords,
        images=Images(parts.store),
        readiness=parts.readiness,
    )


def routes(parts: Parts) -> list[BaseRoute]:
    """Every other route: those of `/v2` are `registry.endpoints.routes.ROUTES`, those of `/api` `api.app.declared`."""
    tokens = TokenEndpoint(
        parts.credentials, parts.standings, parts.keys, parts.clock, parts.database, parts.configuration
    )

    async def token(request: Request) -> Response:
        return await (tokens.post if request.method == "POST" else tokens.get)(request)

    async def jwks(_request: Request) -> Response:
        return JSONResponse(parts.keys.keyring.jwks(), headers={"cache-control": "max-age=60"})

    async def front(request: Request) -> Response:
        return landing(request, challenge.origin(request, parts.configuration.settings))

    return [
        Explained("/", front),
        Explained("/service/token", token, methods=["GET", "POST"]),
        Explained("/.well-known/jwks.json", jwks),
        *health(parts),
    ]


def health(parts: Parts) -> list[BaseRoute]:
    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        failures = dict(parts.readiness.failures())
        warnings = dict(parts.readiness.warnings)
        body = {"ready": not failures, "replica": parts.replica, "failed": failures, "warnings": warnings}
        return JSONResponse(body, 503 if failures else 200)

    async def metrics(_request: Request) -> Response:
        if not parts.settings.metrics:
            raise NotFound
        return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return [
        Explained("/livez", livez),
        Explained("/readyz", readyz),
        Explained("/metrics", metrics),
    ]


class Explained(Route):
    """Starlette's route, but for what it says in plain text to another method: the edge explains that too."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.methods and scope["method"] not in self.methods:
            raise MethodNotAllowed(f"{scope['method']} is not supported here.", allowed=self.methods)
        await self.app(scope, receive, send)


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise NotFound


@contextlib.asynccontextmanager
async def lifespan(parts: Parts, _application: object) -> AsyncIterator[None]:
    await parts.readiness.look()
    await join(parts)
    rounds = Rounds(periodic(parts))
    rounds.start()
    try:
        yield
    finally:
        await rounds.stop()
        with contextlib.suppress(MooringError):
            await ours(parts, partial(parts.registry.pulls.flush, parts.database))()
        await leave(parts)


async def leave(parts: Parts) -> None:
    await parts.turns.rest()
    with contextlib.suppress(MooringError):
        await parts.database.write(heartbeat.leave, parts.replica)
    await parts.store.disconnect()
    parts.store.close()
    parts.database.close()


async def join(parts: Parts) -> None:
    """Load the keys and say so, so that the first request finds a replica that others know."""
    if not parts.readiness.wrong():
        await parts.epoch.poll()
        await parts.rotation.turn()
        await parts.readiness.look()
    await beat(parts)
    await ours(parts, parts.rotation.turn)()


def ours(parts: Parts, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Work for the cluster, left to others while this replica is not one of it."""

    async def run() -> None:
        if not parts.readiness.wrong():
            await work()

    return run


async def beat(parts: Parts, role: str = heartbeat.SERVER) -> None:
    await parts.clock.follow()
    offset, error = parts.clock.wall_offset, parts.clock.error
    parts.metrics.clock(offset / SECOND, error / SECOND)
    failed = dict(parts.readiness.failures())
    pulse = Pulse(
        ready=not failed,
        failed=failed,
        keys=sorted(parts.keys.keyring.keys),
        configuration_version=parts.configuration.version,
        clock_offset=offset,
        clock_error=error,
        server=naming.server(),
        host=naming.host(),
        master_keys=parts.master_key.fingerprints,
        role=role,
    )
    try:
        now = parts.clock.now()
        await parts.database.write(heartbeat.beat, now, parts.replica, pulse)
        twice = heartbeat.namesakes(await parts.database.read(heartbeat.known), now)
        own = naming.given_name(parts.settings)
        parts.readiness.warnings = {"name": heartbeat.shared_name(own, twice[own])} if own in twice else {}
    except DBAPIError:
        # A schema that is not ours may have no place for it.
        if not parts.readiness.wrong():
            raise


def periodic(parts: Parts) -> list[Periodic]:
    """What each process has to do for itself."""
    return [
        Periodic("epoch", POLL_SECONDS, ours(parts, parts.epoch.poll)),
        Periodic("keys", KEYS_SECONDS, ours(parts, partial(parts.rotation.turn_counted, parts.metrics))),
        Periodic("readiness", READINESS_SECONDS, parts.readiness.look),
        Periodic("heartbeat", HEARTBEAT_SECONDS, partial(beat, parts)),
        Periodic("configuration", CONFIGURATION_SECONDS, ours(parts, parts.configuration.refresh)),
        Periodic("pulls", HEARTBEAT_SECONDS, ours(parts, partial(parts.registry.pulls.flush, parts.database))),
        Periodic("jobs", LOOK_SECONDS, parts.turns.turn),
    ]
