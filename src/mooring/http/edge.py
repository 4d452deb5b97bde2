"""The outermost ASGI callable: names each request, counts it, and turns whatever was raised into an answer."""

import logging
import re
import time
from collections.abc import Coroutine, MutableMapping
from random import getrandbits
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mooring.errors import ClientGone, MooringError
from mooring.http.answers import answer
from mooring.http.linger import Body
from mooring.http.prepared import Answer, Headers, lines
from mooring.observe.denials.record import client
from mooring.observe.denials.recorder import Recorder
from mooring.observe.metrics import Metrics
from mooring.refusals import Reason, Refused

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
FAMILIES = (
    ("/manifests/", "manifests"),
    ("/blobs/uploads/", "uploads"),
    ("/blobs/", "blobs"),
    ("/tags/", "tags"),
    ("/referrers/", "referrers"),
)
SPOKEN = (b"docker-distribution-api-version", b"registry/2.0")
"""Docker takes a registry whose refusals lack it for one of another protocol."""

PROTOCOL = lines([SPOKEN])
HEALTH = frozenset({"/livez", "/readyz", "/metrics"})
log = structlog.get_logger("mooring")


class Edge:
    def __init__(self, application: ASGIApp, replica: str, metrics: Metrics, denials: Recorder) -> None:
        self.application = application
        self.replica = replica
        self.metrics = metrics
        self.denials = denials
        self.tells_all = log.is_enabled_for(logging.DEBUG)

    async def quick(
        self, answering: Coroutine[Any, Any, Answer | None], method: str, path: str, headers: Headers
    ) -> Answer | None:
        """The same for the shorter way. What goes wrong there is met again, and explained, on the longer one."""
        began = time.perf_counter()
        try:
            found = await answering
        except MooringError:
            return None
        if found is None:
            return None
        status, fields, body = found
        fields = b"%bx-request-id: %b\r\n%b" % (fields, _request_id(headers).encode(), PROTOCOL)
        self.metrics.request(method, family(path), status, time.perf_counter() - began, 0, len(body))
        return Answer(status, fields, body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        await Exchange(self, scope, receive, send).run()


class Exchange:
    """One request and its answer."""

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self._edge = edge
        self._scope = scope
        self._body = Body(scope, receive)
        self._send = send
        self._id = _request_id(scope["headers"])
        self._status = 0
        self._sent = 0
        self._began = time.perf_counter()

    async def run(self) -> None:
        self._scope.setdefault("state", {})["request_id"] = self._id
        self._edge.metrics.running += 1
        try:
            await self._edge.application(self._scope, self._body.receive, self._send_named)
        except MooringError as error:
            await self._explain(error)
        except Exception:
            log.exception("unexpected_error", **self._facts())
            await self._explain(MooringError())
        finally:
            self._edge.metrics.running -= 1
            self._count()

    async def _explain(self, error: MooringError) -> None:
        if isinstance(error, Refused):
            self._edge.metrics.refusal(error.reason)
            self._edge.denials.note(error, self._id, self._scope)
            # Every client's first request comes without credentials, to be told where to get them.
            say = log.debug if error.reason is Reason.AUTHENTICATION_REQUIRED else log.info
            say(
                "refused",
                reason=error.reason,
                subject=error.subject,
                resource=error.resource,
                client=client(self._scope),
                **self._facts(),
            )
        elif error.status >= 500:
            self._edge.metrics.failure(error.code)
            log.warning("failed", code=error.code, error=error.text, cause=repr(error.__cause__), **self._facts())
        if isinstance(error, ClientGone):
            self._status = self._status or error.status
            return
        if self._status:
            # The answer is half-way out: break it off, so that nobody takes it for whole.
            raise error
        await answer(error, self._id, self._edge.replica)(self._scope, self._body.receive, self._send_named)
        await self._body.discard()

    async def _send_named(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [*message.get("headers", []), *self._headers()]
        else:
            self._sent += len(message.get("body", b""))
        await self._send(message)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", self._id.encode())]
        if self._scope["path"].startswith("/v2"):
            headers.append(SPOKEN)
        return headers

    def _count(self) -> None:
        seconds = time.perf_counter() - self._began
        method, path, metrics = self._scope["method"], self._scope["path"], self._edge.metrics
        metrics.request(method, family(path), self._status, seconds, self._body.received, self._sent)
        if self._edge.tells_all:
            log.debug("request", status=self._status, milliseconds=round(seconds * 1000, 1), **self._facts())

    def _facts(self) -> MutableMapping[str, Any]:
        return {
            "request_id": self._id,
            "replica": self._edge.replica,
            "method": self._scope["method"],
            "path": self._scope["path"],
        }


def family(path: str) -> str:
    """A label that does not grow with names."""
    if path.startswith("/v2"):
        for part, word in FAMILIES:
            if part in path:
                return word
        return "v2"
    if path.startswith("/api/"):
        return "api"
    if path == "/service/token":
        return "token"
    return "health" if path in HEALTH else "other"


def _request_id(headers: Headers) -> str:
    for name, value in headers:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return bytes(value).decode()
    # Told apart, not secret: the system's own random numbers cost as much as half an answer's headers.
    return f"{getrandbits(64):016x}"
