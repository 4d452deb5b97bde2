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
        self._receive = receive
        headers = dict(scope["headers"])
        self._left = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        self._waits = b"expect" in headers
        """Whether the client sends nothing before it is asked to: then there is nothing to be rid of."""

    async def receive(self) -> Message:
        self._waits = False
        message = await self._receive()
        if not message.get("more_body", False):
            self._left = False
        return message

    async def discard(self) -> None:
        """After the answer. Ends when the client does, and after LINGER_SECONDS or LINGER_BYTES at the latest."""
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while self._left and not self._waits and size < LINGER_BYTES:
                    size += len((await self.receive()).get("body", b""))
