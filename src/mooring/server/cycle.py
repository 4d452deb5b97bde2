"""One request and its answer, as an ASGI application sees them."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog
from starlette.types import ASGIApp, Message, Scope

from mooring.errors import MooringError
from mooring.server.head import BODILESS, CONTINUE, head
from mooring.server.room import Room

if TYPE_CHECKING:
    from mooring.server.connection import Connection

HELD_SHARES = 2
"""Of a body that the application has not asked for: nothing is read from the connection beyond it."""

TOGETHER_BYTES = 512 * 1024
"""Less than this goes out in one piece with the head."""

CHUNKED = b"transfer-encoding: chunked\r\n"
CLOSE = b"connection: close\r\n"
log = structlog.get_logger("mooring")


class Cycle:
    __slots__ = (
        "_chunked",
        "_chunks",
        "_connection",
        "_head",
        "_held",
        "_in_room",
        "_room",
        "_told_end",
        "_waiter",
        "answered",
        "broken",
        "expects",
        "gone",
        "keep_alive",
        "received",
        "scope",
        "started",
    )

    def __init__(self, connection: "Connection", room: Room, scope: Scope, *, keep_alive: bool, expects: bool) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        self.expects = expects
        """Whether the client waits for `100 Continue`."""
        self.started = False
        """Whether a byte of the answer was sent."""
        self.answered = False
        """Whether all of it was."""
        self.received = False
        """Whether all of the body came."""
        self.gone = False
        """Whether the client left, or broke off the body."""
        self.broken = False
        """Whether what it sent is no HTTP."""
        self._connection = connection
        self._chunks: deque[bytes] | None = None
        self._held = 0
        self._room = room
        self._in_room = False
        self._told_end = False
        self._waiter: asyncio.Future[None] | None = None
        self._head: Message | None = None
        self._chunked = False

    async def run(self, application: ASGIApp) -> None:
        try:
            await application(self.scope, self.receive, self.send)
        except MooringError as error:
            # It was explained as far as it could be: this is an answer that has to be broken off.
            log.debug("answer_broken_off", path=self.scope["path"], error=error.text)
        except Exception:
            log.exception("unexpected_error", path=self.scope["path"])
        finally:
            self._connection.ended(self)

    # What the connection tells.

    def take(self, chunk: bytes) -> None:
        if self._chunks is None:
            self._chunks = deque()
            self._in_room = True
            self._room.bodies += 1
        self._chunks.append(chunk)
        self._held += len(chunk)
        if self._held > HELD_SHARES * self._room.share:
            self._connection.pause_reading()
        self._wake()

    def end(self) -> None:
        """The body is whole."""
        self._leave_room()
        self.received = True
        self._wake()

    def leave(self) -> None:
        """The client left."""
        self._leave_room()
        self.gone = True
        self._wake()

    def _leave_room(self) -> None:
        if self._in_room:
            self._in_room = False
            self._room.bodies -= 1

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What the application calls.

    async def receive(self) -> Message:
        if self.expects:
            self.expects = False
            if not (self.started or self._chunks or self.received):
                self._connection.write(CONTINUE)
        while True:
            if self._chunks:
                return self._next(self._chunks)
            if self.received and not self._told_end:
                self._told_end = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if self.gone or (self.answered and self.received):
                return {"type": "http.disconnect"}
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _next(self, chunks: deque[bytes]) -> Message:
        chunk = chunks.popleft()
        self._held -= len(chunk)
        if self._held <= HELD_SHARES * self._room.share // 2:
            self._connection.resume_reading()
        self._told_end = self.received and not chunks
        return {"type": "http.request", "body": chunk, "more_body": not self._told_end}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            # It goes out with the first bytes of the body.
            self._head = message
            return
        if self.gone or self.answered:
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if not self.started:
            self._start(body, more)
        elif body:
            self._connection.write(b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body)
        if not more:
            if self._chunked:
                self._connection.write(b"0\r\n\r\n")
            self.answered = True
            self._wake()
        elif self._connection.is_full:
            await self._connection.drained()

    def _start(self, body: bytes, more: bool) -> None:
        assert self._head is not None, "http.response.start comes first"
        status, headers = self._head["status"], self._head["headers"]
        ending = b"" if self.keep_alive else CLOSE
        if status in BODILESS:
            body = b""
        elif not any(name == b"content-length" for name, _ in headers):
            if not more:
                ending += b"content-length: %d\r\n" % len(body)
            elif self.scope["http_version"] == "1.0":
                # Its end is that of the connection.
                self.keep_alive, ending = False, CLOSE
            else:
                self._chunked = self.scope["method"] != "HEAD"
                ending += CHUNKED
        if self.scope["method"] == "HEAD":
            body = b""
        elif self._chunked and body:
            body = b"%x\r\n%b\r\n" % (len(body), body)
        first = head(status, headers, ending)
        self.started = True
        if len(body) < TOGETHER_BYTES:
            self._connection.write(first + body)
        else:
            self._connection.write(first)
            self._connection.write(body)
