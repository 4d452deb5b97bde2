"""What is still coming of a body that was refused is taken and thrown away, for a while.

A connection that is closed on a client that still sends is reset, and the answer on its way to it is lost: docker
then says `broken pipe` instead of what went wrong (RFC 9112, section 9.6).
"""

import asyncio
from contextlib import suppress

from starlette.types import Message, Receive, Scope

LINGER_SECONDS = 5.0
LINGER_BYTES = 256 * 1024 * 1024


class Body:
    """A request's `receive` that knows whether anything is left of the body."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._asked = False
        self._ended = False
        self.received = 0
        """Bytes."""

    async def receive(self) -> Message:
        self._asked = True
        message = await self._receive()
        self.received += len(message.get("body", b""))
        if not message.get("more_body", False):
            self._ended = True
        return message

    async def discard(self) -> None:
        """After the answer. Ends when the client does, and after LINGER_SECONDS or LINGER_BYTES at the latest."""
        if not self._is_coming():
            return
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while self._is_coming() and size < LINGER_BYTES:
                    size += len((await self.receive()).get("body", b""))

    def _is_coming(self) -> bool:
        """A client that waits for `100 Continue` sends nothing before it is asked to."""
        headers = dict(self._scope["headers"])
        announced = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        return announced and not self._ended and (self._asked or b"expect" not in headers)
