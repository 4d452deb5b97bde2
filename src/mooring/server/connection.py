"""One client's connection: requests in their order, their answers, and a bound on the time of each.

Each worker is one thread: what is read is parsed, answered and written without a change of thread, which costs more
than all of that together.
"""

import asyncio
from collections import deque
from math import inf
from typing import cast

import structlog

from mooring.errors import Invalid, MooringError
from mooring.http.prepared import Answer, Headers
from mooring.server.cycle import Cycle, Quicker
from mooring.server.head import whole
from mooring.server.reader import Reader
from mooring.server.refusing import refusal
from mooring.server.scope import address, http_scope
from mooring.server.serving import Serving

HEAD_SECONDS = 30.0
"""From the first byte of a request's head to its last one."""

IDLE_SECONDS = 120.0
"""Between two requests: longer than load balancers keep a connection that rests (60 s), so that they end it, not we."""

LEAVING_SECONDS = 5.0
"""For a client that still sends to take what it was told."""

HIGH_WATER = 256 * 1024
MOST_PIPELINED = 16
CONTINUE = b"100-continue"
FRAMING = frozenset({b"content-length", b"transfer-encoding"})
TOO_MANY = "Too many requests were sent before the first of them was answered."
log = structlog.get_logger("mooring")


class Connection(asyncio.BufferedProtocol):
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._buffer = memoryview(b"")
        self._reader = Reader(self)
        self._reading: Cycle | None = None
        """Whose body is coming."""
        self._answering: Cycle | None = None
        self._pipeline: deque[Cycle] = deque()
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self.is_ending = False
        self._why: MooringError | None = None
        """What to say after the answers to what came whole."""
        self.is_full = False
        """Whether the client has to take something before more is sent."""
        self.deadline = serving.now() + HEAD_SECONDS

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self._client = address(transport.get_extra_info("peername"))
        self._server = address(transport.get_extra_info("sockname"))
        self._serving.enter(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._serving.leave(self)
        for cycle in (self._reading, self._answering, *self._pipeline):
            if cycle is not None:
                cycle.leave()
        self._pipeline.clear()
        self.resume_writing()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def get_buffer(self, _sizehint: int) -> memoryview:
        self._buffer = self._serving.room.buffer
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        self._reader.read(self._buffer[:count])

    # What the reader tells.

    def head_begins(self) -> None:
        if self._answering is None:
            self.deadline = self._serving.now() + HEAD_SECONDS

    def head_ends(self, method: str, version: str, url: bytes, headers: Headers, *, keep_alive: bool) -> None:
        self.deadline = inf
        if len(self._pipeline) >= MOST_PIPELINED:
            self.refuse(Invalid(TOO_MANY))
            return
        keep_alive = keep_alive and not self._serving.is_ending
        quick = self._quick(method, url, headers) if keep_alive else None
        if quick is not None and self._serving.at_once:
            if self._sent(quick):
                return
            quick = None
        expects = version != "1.0" and any(name == b"expect" and value.lower() == CONTINUE for name, value in headers)
        scope = http_scope(method, version, url, headers, self._client, self._server)
        cycle = Cycle(self, self._serving.room, scope, keep_alive=keep_alive, expects=expects)
        self._reading = cycle
        if self._answering is None:
            self._answer(cycle, quick)
        else:
            self._pipeline.append(cycle)
            self.pause_reading()

    def body_comes(self, body: bytes) -> None:
        if self._reading is not None:
            self._reading.take(body)

    def body_ends(self) -> None:
        if self._reading is not None:
            self._reading.end()
            self._reading = None

    def refuse(self, why: MooringError) -> None:
        """What came whole before is answered as ever."""
        if self.is_ending:
            return
        self.is_ending, self._why = True, why
        broken, self._reading = self._reading, None
        if self._answering is None:
            self._tell_why()
        elif broken is self._answering:
            broken.broken = True
            broken.leave()
        elif broken is not None:
            self._pipeline.remove(broken)

    # What a cycle asks for.

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        if self.is_full:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable

    def pause_reading(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._pipeline and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def ended(self, cycle: Cycle) -> None:
        """The application has done with it."""
        self._answering = None
        if cycle.broken and not cycle.started:
            self._tell_why()
        elif not cycle.answered:
            self._transport.abort()
        elif not cycle.received:
            self._leave()
        elif not cycle.keep_alive:
            self._close()
        elif self._pipeline:
            self._answer(self._pipeline.popleft())
            self.resume_reading()
        elif self._why is not None:
            self._tell_why()
        else:
            self._rest()

    # What the server asks for.

    def finish(self) -> None:
        """Take no further request."""
        cycle = self._answering
        if cycle is not None:
            cycle.keep_alive = False
        else:
            self._close()

    def expire(self) -> None:
        """It did not say in time what it wants, or did not take what it was told."""
        if self.is_ending:
            self._transport.abort()
        else:
            self._close()

    def _quick(self, method: str, url: bytes, headers: Headers) -> Quicker | None:
        quick = self._serving.quick
        if quick is None or self._answering is not None or self.is_full:
            return None
        if b"?" in url or b"%" in url or not url.isascii():
            return None
        if not self._serving.at_once and any(name in FRAMING for name, _ in headers):
            # Its body may come after the answer, and is for the application to take.
            return None
        try:
            return quick(method, url.decode("ascii"), headers)
        except Exception:
            # The application says what is wrong.
            log.exception("unexpected_error")
            return None

    def _sent(self, quick: Quicker) -> bool:
        """Whether it could be: without a cycle, also where a body still comes, which nobody wants."""
        answer: Answer | None = None
        try:
            quick.send(None)
        except StopIteration as ended:
            answer = ended.value
        except Exception:
            log.exception("unexpected_error")
        else:
            raise AssertionError("what is answered at once waits for nothing")
        if answer is None:
            return False
        self._transport.write(whole(answer, b""))
        self.deadline = self._serving.now() + IDLE_SECONDS
        return True

    def _answer(self, cycle: Cycle, quick: Quicker | None = None) -> None:
        self._answering = cycle
        self._serving.start(cycle, quick)

    def _tell_why(self) -> None:
        assert self._why is not None
        self.write(refusal(self._why))
        self._leave()

    def _leave(self) -> None:
        """Close when the client has: one that still sends would lose the answer (RFC 9112, section 9.6)."""
        self.is_ending = True
        if self._transport.is_closing():
            return
        self._transport.write_eof()
        self._pipeline.clear()
        self.resume_reading()
        self.deadline = self._serving.now() + LEAVING_SECONDS

    def _close(self) -> None:
        """What was written goes out, if the client takes it."""
        self.is_ending = True
        self._transport.close()
        self.deadline = self._serving.now() + IDLE_SECONDS

    def _rest(self) -> None:
        self.resume_reading()
        self.deadline = self._serving.now() + (HEAD_SECONDS if self._reader.in_head else IDLE_SECONDS)
        if self._serving.is_ending:
            self.finish()
