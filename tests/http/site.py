"""A whole registry within this process, asked through ASGI: hundreds of requests a second, no port, no sleep."""

import asyncio
import itertools
import json
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from sqlalchemy import Connection
from starlette.types import Message

from mooring.app import application
from mooring.assembly import Parts, assemble
from mooring.installation import install
from mooring.settings import load

P = ParamSpec("P")
T = TypeVar("T")

Headers = Sequence[tuple[str, str]]

ADMIN_PASSWORD: Final = "Harbour-Master-1"
HOST: Final = "registry.test"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["errors"][0]
        return found

    @property
    def code(self) -> str:
        return str(self.error["code"])

    @property
    def reason(self) -> str:
        """Why it was refused; empty for an answer that is no refusal."""
        if self.status < 400:
            return ""
        return str((self.error.get("detail") or {}).get("reason", ""))

    @property
    def challenge(self) -> str:
        return self.header("www-authenticate") or ""


class Site:
    """Its background work does not run: a test moves keys, epochs and collection by hand."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        given = {"admin_password": ADMIN_PASSWORD, "data": directory, **settings}
        self.settings = load(**given)
        install(self.settings)
        self._runner = asyncio.Runner()
        self._sources = itertools.count(1)
        self.parts: Parts = assemble(self.settings)
        self.application = application(self.parts)
        self.run(self.parts.rotation.turn())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.parts.store.close()
        self.parts.database.close()
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def write(self, transaction: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.parts.database.write_now(transaction, *args, **kwargs)

    def read(self, transaction: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.parts.database.read_now(transaction, *args, **kwargs)

    @property
    def now(self) -> int:
        return self.parts.clock.now()

    def ask(
        self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", query: str = ""
    ) -> Reply:
        """Send one request. `path` may carry its query after a `?`."""
        return self.run(self.asking(method, path, headers, body, query))

    async def asking(
        self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", query: str = ""
    ) -> Reply:
        path, _, inline = path.partition("?")
        lines = [("host", HOST), ("content-length", str(len(body))), *headers]
        return await self.asking_raw(
            method,
            path,
            (inline or query).encode(),
            [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines],
            body,
        )

    async def asking_raw(
        self, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes = b""
    ) -> Reply:
        """Send exactly these bytes, as a server hands them on. Fails when anything is raised."""
        incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        outgoing: list[Message] = []

        async def receive() -> Message:
            # The client stays: one that left would be sent no more than a part of a large blob.
            return incoming.pop(0) if incoming else await asyncio.Future()

        async def send(message: Message) -> None:
            outgoing.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "surrogatepass"),
            "query_string": query,
            "root_path": "",
            "headers": headers,
            # Each request from an address of its own: wrong passwords slow their source down.
            "client": (f"2001:db8::{next(self._sources):x}", 40000),
            "server": (HOST, 80),
        }
        await self.application(scope, receive, send)
        start, *rest = outgoing
        found = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Reply(start["status"], found, b"".join(message.get("body", b"") for message in rest))

    def token(self, scope: str | Iterable[str] = (), headers: Headers = ()) -> str:
        """An access token for these scopes, from the token endpoint. Fails when there is none."""
        scopes = [scope] if isinstance(scope, str) else list(scope)
        reply = self.ask("GET", "/service/token", headers, query="&".join(f"scope={item}" for item in scopes))
        assert reply.status == 200, reply
        return str(reply.json["token"])


def basic(name: str, password: str) -> tuple[str, str]:
    return "authorization", "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def bearer(token: str) -> tuple[str, str]:
    return "authorization", f"Bearer {token}"
