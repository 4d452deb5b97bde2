"""How routes of the management API are made."""

from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute


class Route(APIRoute):
    """Leaves out of each answer what is None, as Harbor does."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "response_model_exclude_none": True})


def router(tag: str, prefix: str = "") -> APIRouter:
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route)
