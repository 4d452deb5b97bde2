"""Request bodies, bounded in size and in the time they may stand still."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from mooring.errors import ClientGone, Invalid, TooLarge, TooSlow
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
    while True:
        try:
            async with asyncio.timeout(patience_seconds):
                message = await request.receive()
        except TimeoutError as error:
            raise TooSlow(f"No byte of the body came for {patience_seconds:g} seconds.") from error
        if message["type"] == "http.disconnect":
            raise ClientGone
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body", False):
            return


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
