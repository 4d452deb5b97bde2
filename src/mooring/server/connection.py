"""One client's connection: HTTP/1.1 as llhttp reads it, requests in their order, and a bound on all that it may take.

Each worker is one thread: what is read is parsed, answered and written without a change of thread, which costs more
than all of that together.
"""

import asyncio
from collections import deque
from math import inf
from typing import cast
from urllib.parse import unquote, urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.types import Scope

from mooring.errors import HeadTooLarge, Invalid, MooringError
from mooring.server.cycle import Cycle
from mooring.server.head import whole
from mooring.server.refusing import refusal
from mooring.server.serving import Serving

LONGEST_HEAD = 256 * 1024
MOST_HEADERS = 200
HEAD_SECONDS = 30.0
"""From the first byte of a request's head to its last one."""

IDLE_SECONDS = 120.0
"""Between two requests: longer than load balancers keep a connection that rests (60 s), so that they end it, not we."""

HIGH_WATER = 256 * 1024
MOST_PIPELINED = 16
CONTINUE = b"100-continue"
NO_HTTP = "What came is no request of HTTP/1.1."
ASGI = {"version": "3.0", "spec_version": "2.3"}


class Connection(asyncio.BufferedProtocol):
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._buffer = memoryview(b"")
        self._parser = HttpRequestParser(self)
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_head = False
        self._head_bytes = 0
        self._reading: Cycle | None = None
        """Whose body is coming."""
        self._answering: Cycle | None = None
        self._pipeline: deque[Cycle] = deque()
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self._ending = False
        self.is_full = False
        """Whether the client has to take something before more is sent."""
        self.deadline = serving.now() + HEAD_SECONDS

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
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
        self._buffer = self._serving.room.buffer()
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        self._take(self._buffer[:count])

    def _take(self, data: memoryview) -> None:
        if self._ending:
            return
        if self._reading is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            # Nothing else is spoken here: what follows is the next request (RFC 9110, section 7.8).
            self._parser = HttpRequestParser(self)
            if rest := data[upgrade.args[0] :]:
                self._take(rest)
        except HttpParserError:
            self._refuse(Invalid(NO_HTTP))
        else:
            if self._in_head and self._head_bytes > LONGEST_HEAD:
                self._refuse(HeadTooLarge())

    # What the parser finds.

    def on_message_begin(self) -> None:
        self._url, self._headers = b"", []
        self._in_head = True
        self.deadline = self._serving.now() + HEAD_SECONDS

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self.deadline = inf
        headers, parser = self._headers, self._parser
        version = parser.get_http_version()
        method = parser.get_method().decode("ascii")
        keep_alive = parser.should_keep_alive() and version != "1.0" and not self._serving.is_ending
        if keep_alive and self._answer_quickly(method):
            return
        cycle = Cycle(
            self,
            self._serving.room,
            self._scope(method, version),
            keep_alive=keep_alive,
            expects=version != "1.0" and any(each[0] == b"expect" and each[1].lower() == CONTINUE for each in headers),
        )
        self._reading = cycle
        if self._ending:
            return
        if len(headers) > MOST_HEADERS or (self._head_bytes > LONGEST_HEAD and self._size() > LONGEST_HEAD):
            self._refuse(HeadTooLarge())
        elif self._answering is None:
            self._answer(cycle)
        else:
            self._pipeline.append(cycle)
            self.pause_reading()
            if len(self._pipeline) > MOST_PIPELINED:
                self._refuse(Invalid(NO_HTTP))

    def on_body(self, body: bytes) -> None:
        if self._reading is not None:
            self._reading.take(body)

    def on_message_complete(self) -> None:
        if self._reading is not None:
            self._reading.end()
            self._reading = None
        self._head_bytes = 0

    # What a cycle asks for.

    def write(self, data: bytes) -> None:
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
        if cycle.broken and not cycle.started and not self._transport.is_closing():
            self._transport.write(refusal(Invalid(NO_HTTP)))
        if not cycle.answered and not cycle.broken:
            self._transport.abort()
        elif not (cycle.keep_alive and cycle.received):
            self._end()
        elif self._pipeline:
            self._answer(self._pipeline.popleft())
            self.resume_reading()
        else:
            self.resume_reading()
            if self._reading is None and not self._in_head:
                self.deadline = self._serving.now() + IDLE_SECONDS
            if self._serving.is_ending:
                self.finish()

    # What the server asks for.

    def finish(self) -> None:
        """Take no further request."""
        cycle = self._answering
        if cycle is not None:
            cycle.keep_alive = False
        else:
            self._end()

    def expire(self) -> None:
        self._end()

    def _answer_quickly(self, method: str) -> bool:
        """Whether it was: without a cycle, also where a body still comes, which nobody wants."""
        quick, url = self._serving.quick, self._url
        if quick is None or self._answering is not None or self._ending or self._head_bytes > LONGEST_HEAD:
            return False
        if b"?" in url or b"%" in url or not url.isascii():
            return False
        answer = quick(method, url.decode("ascii"), self._headers)
        if answer is None:
            return False
        self._transport.write(whole(answer, b""))
        self.deadline = self._serving.now() + IDLE_SECONDS
        return True

    def _answer(self, cycle: Cycle) -> None:
        self._answering = cycle
        self._serving.start(cycle)

    def _refuse(self, why: MooringError) -> None:
        """Of this client nothing more can be understood."""
        cycle = self._answering
        self._ending = True
        if cycle is None:
            self._transport.write(refusal(why))
            self._transport.close()
        else:
            cycle.keep_alive, cycle.broken = False, True
            cycle.leave()

    def _end(self) -> None:
        self._ending = True
        self._transport.close()

    def _size(self) -> int:
        return len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers)

    def _scope(self, method: str, version: str) -> Scope:
        target = self._url if self._url.startswith((b"/", b"*")) else _of_absolute(self._url)
        path, _, query = target.partition(b"#")[0].partition(b"?")
        text = path.decode("utf-8", "replace")
        return {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "method": method,
            "scheme": "http",
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
            "state": {},
        }


def _of_absolute(url: bytes) -> bytes:
    """What proxies are asked for, and every server has to take (RFC 9112, section 3.2.2)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return b"/"
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")


def _address(name: object) -> tuple[str, int] | None:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
