"""One request and its answer, as an ASGI application sees them."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import ASGIApp, Message, Scope

from mooring.errors import MooringError
from mooring.http.prepared import Answer
from mooring.server.head import BODILESS, CONTINUE, head, whole
from mooring.server.room import Room

if TYPE_CHECKING:
    from mooring.server.connection import Connection

HELD_SHARES = 2
"""Of a body that the application has not asked for: nothing is read from the connection beyond it."""

TOGETHER_BYTES = 512 * 1024
"""Less than this goes out in one piece with the head."""

CHUNKED = b"transfer-encoding: chunked\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CLOSE = b"connection: close\r\n"
Quicker = Coroutine[Any, Any, Answer | None]
log = structlog.get_logger("mooring")


class Cycle:
    __slots__ = (
        "_bodiless",
        "_chunked",
        "_chunks",
        "_connection",
        "_head",
        "_held",
        "_in_room",
        "_left",
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
        self._chunks: list[bytes] | None = None
        self._held = 0
        self._room = room
        self._in_room = False
        self._told_end = False
        self._waiter: asyncio.Future[None] | None = None
        self._head: Message | None = None
        self._chunked = False
        self._bodiless = False
        self._left: int | None = None
        """Bytes of the length that was promised."""

    async def run(self, application: ASGIApp, quick: Quicker | None) -> None:
        try:
            if quick is None or not await self._sent(quick):
                await application(self.scope, self.receive, self.send)
        except MooringError as error:
            # It was explained as far as it could be: this is an answer that has to be broken off.
            log.debug("answer_broken_off", path=self.scope["path"], error=error.text)
        except Exception:
            log.exception("unexpected_error", path=self.scope["path"])
        finally:
            self._connection.ended(self)

    async def _sent(self, quick: Quicker) -> bool:
        """Whether the shorter way had an answer."""
        try:
            answer = await quick
        except Exception:
            # The application says what is wrong.
            log.exception("unexpected_error", path=self.scope["path"])
            return False
        if answer is None:
            return False
        self.started = self.answered = True
        if not self.gone:
            self._connection.write(whole(answer, b"" if self.keep_alive else CLOSE))
        return True

    # What the connection tells.

    def take(self, chunk: bytes) -> None:
        if self._chunks is None:
            self._chunks = []
            self._in_room = True
            self._room.enter()
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
            self._room.leave()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What the application calls.

    async def receive(self) -> Message:
        if self.expects:
            self.expects = False
            if not (self.started or self._chunks or self.received or self.gone):
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

    def _next(self, chunks: list[bytes]) -> Message:
        """All that is held, at once: docker's frames of 32 KiB one by one cost more to hand on than to join."""
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._held = 0
        self._connection.resume_reading()
        self._told_end = self.received
        return {"type": "http.request", "body": body, "more_body": not self._told_end}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            # It goes out with the first bytes of the body.
            self._head = message
            return
        if self.gone or self.answered:
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        first = b"" if self.started else self._begin(len(body), more)
        if self._bodiless:
            body = b""
        else:
            self._count(len(body), more)
            body = self._framed(body, more)
        self._write(first, body)
        self.started = True
        if not more:
            self.answered = True
            self._wake()
        elif self._connection.is_full:
            await self._connection.drained()

    def _begin(self, size: int, more: bool) -> bytes:
        """The head."""
        assert self._head is not None, "http.response.start comes first"
        status, headers = self._head["status"], self._head["headers"]
        if self.expects and not self.received:
            # Whether the body still comes is for the client to say.
            self.keep_alive = False
        self._bodiless = status in BODILESS or self.scope["method"] == "HEAD"
        self._left = next((int(value) for name, value in headers if name == b"content-length"), None)
        framing = b""
        if self._left is None and status not in BODILESS:
            framing = self._framing(size, more)
        return head(status, headers, framing if self.keep_alive else CLOSE + framing)

    def _framing(self, size: int, more: bool) -> bytes:
        if not more:
            self._left = size
            return b"content-length: %d\r\n" % size
        if self.scope["http_version"] == "1.0":
            # Its end is that of the connection.
            self.keep_alive = False
            return b""
        self._chunked = True
        return CHUNKED

    def _count(self, size: int, more: bool) -> None:
        """Raises RuntimeError where a client would take the next answer for the rest of this one."""
        if self._left is not None:
            self._left -= size
            if self._left < 0 or (self._left > 0 and not more):
                raise RuntimeError("the answer has another length than it says")

    def _framed(self, body: bytes, more: bool) -> bytes:
        if not self._chunked:
            return body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk if more else chunk + LAST_CHUNK

    def _write(self, first: bytes, body: bytes) -> None:
        if len(body) < TOGETHER_BYTES:
            self._connection.write(first + body)
        else:
            self._connection.write(first)
            self._connection.write(body)
