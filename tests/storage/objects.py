"""Short words for what tests do with a store."""

from collections.abc import AsyncIterator

from mooring.storage import Store

GIB = 1024**3


async def chunked(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def broken(*chunks: bytes) -> AsyncIterator[bytes]:
    """A body whose sender goes away after these chunks."""
    for chunk in chunks:
        yield chunk
    raise ConnectionResetError


async def append(store: Store, key: str, offset: int, *chunks: bytes, limit: int = GIB) -> int:
    async with store.writing(key) as writer:
        return await writer.append(offset, chunked(*chunks), ignore, limit=limit)


async def read(store: Store, key: str, start: int = 0, length: int | None = None) -> bytes:
    length = await store.size(key) - start if length is None else length
    return b"".join([chunk async for chunk in store.read(key, start, length)])


def ignore(_chunk: bytes) -> None:
    return None
