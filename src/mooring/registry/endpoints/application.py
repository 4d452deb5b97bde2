"""`/v2` as one ASGI application: find the route, ask who it is and whether they may, and only then read a byte."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mooring.access import challenge
from mooring.access.authorizer import project_of
from mooring.access.caller import Caller
from mooring.errors import MethodNotAllowed, NameInvalid, NotFound
from mooring.refusals import Reason, Refused
from mooring.registry.endpoints import lists
from mooring.registry.endpoints.routes import ROUTES, Method
from mooring.registry.names import require_repository
from mooring.registry.registry import Registry, Visit

CATALOG_SCOPE = "registry:catalog:*"
LONGEST_PATH = 4096
READS = ("GET", "HEAD")
_COMPILED = [(route.pattern, route.methods) for route in ROUTES]


class RegistryApplication:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"]
        if path in ("/v2", "/v2/"):
            return await self._ping(request)
        if path == "/v2/_catalog":
            return await self._catalog(request)
        name, reference, methods = _matched(path)
        method = methods.get(request.method)
        if method is None:
            raise MethodNotAllowed(
                f"{request.method} is not supported here; {', '.join(methods)} are.", allowed=methods
            )
        visit = await self._admit(request, require_repository(name), reference, method)
        return await method.endpoint(self._registry, request, visit)

    async def _admit(self, request: Request, name: str, reference: str, method: Method) -> Visit:
        actions = "pull,push" if method.action == "push" else method.action
        scope = f"repository:{name}:{actions}"
        admissions = self._registry.admissions
        epoch = admissions.as_of()
        try:
            caller = await self._registry.callers.identify(request)
            grant = await self._registry.authorizer.require(caller, name, method.action)
        except Refused as refused:
            refused.project, refused.resource, refused.action = project_of(name), name, method.action
            raise self._challenged(refused, request, scope) from refused
        if method.action == "pull":
            admissions.keep(request.scope["headers"], name, caller, grant.permissions, epoch)
        return Visit(caller, name, reference, grant.project_id, grant.permissions)

    async def _ping(self, request: Request) -> Response:
        _only_reads(request)
        await self._somebody(request, "")
        return JSONResponse({})

    async def _catalog(self, request: Request) -> Response:
        _only_reads(request)
        caller = await self._somebody(request, CATALOG_SCOPE)
        if caller.token is not None and not caller.token.grants("catalog", "*", "registry"):
            text = f"This token was not issued for {CATALOG_SCOPE}. Ask for one with that scope."
            reason = Reason.AUTHENTICATION_REQUIRED if caller.anonymous else Reason.NO_PERMISSION
            refused = Refused(reason, text, subject=caller.name, status=401)
            raise self._challenged(refused, request, CATALOG_SCOPE)
        return await lists.list_repositories(self._registry, request, caller)

    async def _somebody(self, request: Request, scope: str) -> Caller:
        """An account that is still good, or nobody with a token."""
        try:
            caller = await self._registry.callers.identify(request)
            if caller.anonymous and caller.token is None:
                raise Refused(Reason.AUTHENTICATION_REQUIRED)
            await self._registry.authorizer.require_account(caller)
        except Refused as refused:
            raise self._challenged(refused, request, scope) from refused
        return caller

    def _challenged(self, refused: Refused, request: Request, scope: str) -> Refused:
        if refused.answer_status == 401:
            origin = challenge.origin(request, self._registry.settings)
            error = refused.ruling.bearer_error if "authorization" in request.headers else None
            sentence = refused.sentence(request.state.request_id)
            refused.challenge = challenge.bearer(origin, scope, error, sentence)
        return refused


def _matched(path: str) -> tuple[str, str, Mapping[str, Method]]:
    if len(path) > LONGEST_PATH:
        raise NameInvalid("The path is longer than any name can be.")
    for pattern, methods in _COMPILED:
        if found := pattern.fullmatch(path):
            groups = found.groupdict()
            return groups["name"], groups.get("reference", ""), methods
    raise NotFound("There is nothing at this path of the registry's API.")


def _only_reads(request: Request) -> None:
    if request.method not in READS:
        raise MethodNotAllowed(allowed=READS)
