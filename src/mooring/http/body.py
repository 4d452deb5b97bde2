"""Bodies, taken and sent, bounded in size and in the time they may stand still."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.requests import Request
from starlette.types import Receive, Send

from mooring.errors import ClientGone, Invalid, TooLarge, TooSlow
from mooring.http.patience import Patience
from mooring.settings import Settings


def content_length(request: Request) -> int | None:
    """Raises Invalid for a header that is no number."""
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Invalid("Content-Length is not a number.")
    return int(text)


async def stream_body(request: Request, patience_seconds: float) -> AsyncIterator[bytes]:
    """The body in chunks as they come. Raises TooSlow and ClientGone, never ends early in silence."""
    patience = Patience(patience_seconds, TooSlow(f"No byte of the body came for {patience_seconds:g} seconds."))
    try:
        while True:
            with patience:
                message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            if chunk := message.get("body", b""):
                yield chunk
            if not message.get("more_body", False):
                return
    finally:
        patience.end()


async def read_body(request: Request, limit: int, settings: Settings) -> bytes:
    """The whole body. Raises TooLarge before a byte is read when the length is announced."""
    announced = content_length(request)
    if announced is not None and announced > limit:
        raise TooLarge(f"The body has {announced} bytes; {limit} are allowed.")
    chunks, size = [], 0
    async for chunk in stream_body(request, settings.body_timeout_seconds):
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The body has more than the {limit} bytes that are allowed.")
        chunks.append(chunk)
    return b"".join(chunks)


async def send_body(chunks: AsyncGenerator[bytes], receive: Receive, send: Send, patience_seconds: float) -> None:
    """Raises ClientGone when the client left, or has taken nothing for `patience_seconds`.

    The server takes what is sent to a closed connection in silence: without a watch, a store would be read to the end
    for nobody.
    """
    patience = Patience(patience_seconds, ClientGone())
    gone = asyncio.ensure_future(_gone(receive))
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                with patience:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if gone.done():
                    raise ClientGone
        await send({"type": "http.response.body", "body": b""})
    finally:
        patience.end()
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
