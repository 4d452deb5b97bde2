"""The application of `mooring serve`: every route, and what is around them."""

import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from mooring.access import challenge
from mooring.access.token_endpoint import TokenEndpoint
from mooring.api.app import management_api
from mooring.api.entrance import PREFIX
from mooring.api.parts import Parts as ApiParts
from mooring.assembly import Parts, assemble
from mooring.cluster.gate import Gate
from mooring.errors import MethodNotAllowed, MooringError, NotFound
from mooring.http.edge import Edge
from mooring.http.prepared import Answer, Headers
from mooring.jobs.periodic import Rounds
from mooring.observe import logs
from mooring.presence import join, leave, ours, serving
from mooring.refusals import Reason, Refused
from mooring.registry.endpoints.application import RegistryApplication
from mooring.registry.endpoints.quick import QuickReads
from mooring.registry.images import Images
from mooring.server.serving import Served
from mooring.settings import Settings, load
from mooring.web.landing import landing


def create() -> Served:
    """The entry of each worker process, which ends here with a message when it can't serve."""
    try:
        settings = load()
        logs.configure(settings.log_level, settings.log_format)
        return served(assemble(settings))
    except MooringError as error:
        sys.exit(f"mooring: {error.text}")


def served(parts: Parts) -> Served:
    edge, reads = application(parts), QuickReads(parts.registry)

    def quick(method: str, path: str, headers: Headers) -> Coroutine[Any, Any, Answer | None] | None:
        # A replica that is not one of the cluster's says so by the gate; who logs all is told of all.
        if parts.readiness.wrong() or edge.tells_all:
            return None
        answering = reads(method, path, headers)
        return None if answering is None else edge.quick(answering, method, path, headers)

    return Served(edge, quick, at_once=parts.database.looks_at_once)


def application(parts: Parts) -> Edge:
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
    return Edge(gate, parts.replica, parts.metrics, parts.denials)


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
        return Response(await parts.watch.told(), media_type="text/plain; version=0.0.4; charset=utf-8")

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
    rounds = Rounds(serving(parts))
    rounds.start()
    try:
        yield
    finally:
        await rounds.stop()
        for counts in (parts.registry.pulls, parts.denials):
            with contextlib.suppress(MooringError):
                await ours(parts, partial(counts.flush, parts.database))()
        await leave(parts)
