"""Ping, health and what the registry says of itself."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from mooring import __version__
from mooring.access.challenge import origin
from mooring.api import routing
from mooring.api.access import Open, Unguarded
from mooring.api.fields import Shape
from mooring.api.parts import parts_of
from mooring.api.visit import Visit
from mooring.cluster.clock import rfc3339

HARBOR_VERSION = "v2.15.2"
"""The Harbor whose API this is; its clients read it from the version."""

router = routing.router("system")


class Component(Shape):
    name: str
    status: str
    error: str | None = None


class Health(Shape):
    status: str
    components: list[Component]


class SystemInfo(Shape):
    """Who is not logged in is told how to, and no more."""

    auth_mode: str = "db_auth"
    primary_auth_mode: bool = False
    self_registration: bool = False
    banner_message: str = ""
    oidc_provider_name: str = ""
    harbor_version: str | None = None
    registry_url: str | None = None
    external_url: str | None = None
    project_creation_restriction: str | None = None
    has_ca_root: bool | None = None
    read_only: bool | None = None
    notification_enable: bool | None = None
    registry_storage_provider_name: str | None = None
    current_time: str | None = None


@router.get("/ping", dependencies=[Depends(Unguarded())], response_class=PlainTextResponse)
async def ping() -> str:
    return "Pong"


@router.get("/health", dependencies=[Depends(Unguarded())])
async def health(request: Request) -> Health:
    """Harbor answers 200 also when something is unhealthy; `/readyz` is for load balancers."""
    readiness = parts_of(request).readiness
    failures = readiness.failures()
    components = [
        Component(name=name, status="unhealthy" if name in failures else "healthy", error=failures.get(name))
        for name in sorted({"core", "database", "store", *failures})
    ]
    return Health(status="unhealthy" if failures else "healthy", components=components)


@router.get("/systeminfo")
async def system_info(request: Request, visit: Annotated[Visit, Depends(Open())]) -> SystemInfo:
    if visit.caller.anonymous:
        return SystemInfo()
    address = origin(request, visit.parts.settings)
    return SystemInfo(
        harbor_version=f"{HARBOR_VERSION}-mooring-{__version__}",
        registry_url=address.partition("://")[2],
        external_url=address,
        project_creation_restriction="everyone",
        has_ca_root=False,
        read_only=False,
        notification_enable=False,
        registry_storage_provider_name="filesystem",
        current_time=rfc3339(visit.parts.clock.now()),
    )


@router.get("/openapi.json", dependencies=[Depends(Unguarded())], include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())
