"""How answers look beside their bodies: errors, and where something new is."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from mooring.errors import Invalid, MethodNotAllowed, NotFound
from mooring.refusals import Refused

MOST_TOLD = 5


class ErrorEntry(BaseModel):
    code: str
    message: str
    detail: dict[str, Any] | None = None


class Errors(BaseModel):
    errors: list[ErrorEntry]


DOCUMENTED: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Errors, "description": "The request was refused; the body says why."},
    "5XX": {"model": Errors, "description": "The registry could not answer."},
}


def created(request: Request, name: object) -> Response:
    """201 with the place of what was made, as in Harbor without a body."""
    return Response(status_code=201, headers=located(request, name))


def located(request: Request, name: object) -> Mapping[str, str]:
    return {"location": f"{address(request).rstrip('/')}/{quote(str(name), safe='')}"}


def address(request: Request) -> str:
    """The path as the client sent it: a repository's name in it may be encoded twice."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return quote(raw, safe="/%:@!$&'()*+,;=~-._")


async def invalid_request(_request: Request, error: Exception) -> NoReturn:
    assert isinstance(error, RequestValidationError)
    told = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:MOST_TOLD]]
    raise Invalid("; ".join(told)) from error


async def refused(request: Request, error: Exception) -> NoReturn:
    """The rules deeper down know what is refused, and not to whom by name."""
    assert isinstance(error, Refused)
    error.subject = error.subject or getattr(request.state, "caller", "")
    raise error


def http_error(routes: Sequence[APIRoute]) -> Callable[[Request, Exception], Coroutine[Any, Any, Response]]:
    """For Starlette's and FastAPI's own errors: an unknown path or method, a body that is no JSON."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            raise NotFound("The API has no such path.") from error
        if error.status_code == 405:
            allowed = _methods_here(routes, request)
            text = f"This path does not have this method; it has {', '.join(allowed)}."
            raise MethodNotAllowed(text, allowed=allowed) from error
        raise Invalid(str(error.detail)) from error

    return answer


def _methods_here(routes: Sequence[APIRoute], request: Request) -> list[str]:
    """Of all routes with this path: the framework names only the first one's."""
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in here for method in route.methods or ()})
