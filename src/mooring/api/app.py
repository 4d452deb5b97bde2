"""The management API at `/api/v2.0`, in Harbor's paths and shapes (goharbor/harbor, api/v2.0/swagger.yaml)."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from mooring import __version__
from mooring.api import (
    alerts,
    answers,
    artifacts,
    audit,
    cluster,
    denials,
    members,
    metadata,
    permissions,
    projects,
    repositories,
    robots,
    system,
    tags,
    users,
)
from mooring.api.access import Access, access_of
from mooring.api.entrance import PREFIX, Entrance
from mooring.api.parts import Parts
from mooring.refusals import Refused

ROUTERS = (
    system.router,
    permissions.router,
    users.router,
    projects.router,
    metadata.router,
    members.router,
    robots.router,
    repositories.router,
    artifacts.router,
    tags.router,
    cluster.router,
    alerts.router,
    denials.router,
    audit.router,
)


class ManagementApi(FastAPI):
    """Without Starlette's outermost layer, which would answer 500: the edge turns all that is raised into answers."""

    def build_middleware_stack(self) -> ASGIApp:
        return ExceptionMiddleware(AsyncExitStackMiddleware(self.router), handlers=self.exception_handlers)


def management_api(parts: Parts) -> ASGIApp:
    application = _application()
    application.state.parts = parts
    return Entrance(application, parts.configuration)


def openapi() -> dict[str, Any]:
    """The document that `/api/v2.0/openapi.json` answers."""
    return _application().openapi()


def declared() -> list[tuple[APIRoute, Access]]:
    """Every route with what it asks. Raises TypeError for one that does not say."""
    return [(route, access_of(route)) for router in ROUTERS for route in _routes(router)]


def _routes(router: APIRouter) -> list[APIRoute]:
    odd = [route for route in router.routes if not isinstance(route, APIRoute)]
    if odd:
        raise TypeError(f"{odd} can't declare who may call it")
    return [route for route in router.routes if isinstance(route, APIRoute)]


def _application() -> FastAPI:
    routes = [route for route, _ in declared()]
    application = ManagementApi(
        title="Mooring",
        version=__version__,
        servers=[{"url": PREFIX}],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        responses=answers.DOCUMENTED,
        exception_handlers={
            RequestValidationError: answers.invalid_request,
            HTTPException: answers.http_error(routes),
            Refused: answers.refused,
        },
    )
    for router in ROUTERS:
        application.include_router(router)
    return application
