"""What every request to the management API passes first, as plain ASGI: its path read right, its body bounded."""

from urllib.parse import unquote, unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mooring.cluster.configuration import Configuration
from mooring.errors import Invalid, Unsupported, UriTooLong
from mooring.http.body import read_body

PREFIX = "/api/v2.0"
BODY_LIMIT = 512 * 1024
LONGEST_PATH = 4096
LONGEST_QUERY = 16 * 1024
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Entrance:
    def __init__(self, application: ASGIApp, configuration: Configuration) -> None:
        self._application = application
        self._configuration = configuration

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        scope = {**scope, "path": plain_path(scope), "root_path": PREFIX}
        if scope["method"] not in WITH_BODY:
            await self._application(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await read_body(request, BODY_LIMIT, self._configuration.settings)
        if body:
            _require_json(request)
        await self._application(scope, _replayed(body, receive), send)


def plain_path(scope: Scope) -> str:
    """The path decoded once, but for slashes within a part: Harbor's clients encode `a/b` twice, people once.

    Raises Invalid for what no name can have, and UriTooLong.
    """
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if len(raw) > LONGEST_PATH or len(scope["query_string"]) > LONGEST_QUERY:
        raise UriTooLong
    if b"%00" in raw or b"%00" in scope["query_string"] or b"%2500" in raw:
        raise Invalid("A NUL byte is not part of any name.")
    try:
        unquote_to_bytes(scope["query_string"]).decode()
        parts = [unquote(part, errors="strict").replace("/", "%2F") for part in raw.decode("ascii").split("/")]
    except UnicodeDecodeError as error:
        raise Invalid("The address is not percent-encoded UTF-8.") from error
    path = "/".join(parts)
    return path.rstrip("/") if len(path) > 1 else path


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Unsupported(f"Send JSON with the Content-Type application/json, not {kind[:80]}.")


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
