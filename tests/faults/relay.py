"""A slow line: a relay of TCP that lets through only so many bytes a second towards the registry."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.server import HOST, free_port

PIECE = 4096


@contextlib.asynccontextmanager
async def slow_line(port: int, bytes_a_second: float) -> AsyncIterator[str]:
    """Yields the address `host:port` whose connections go on to `port`, slowly."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection(HOST, port)
        await asyncio.gather(_carry(reader, onward_writer, PIECE / bytes_a_second), _carry(onward_reader, writer, 0.0))

    own = free_port()
    # a small buffer: what the sender has handed over shall not be far ahead of what went through
    async with await asyncio.start_server(connected, HOST, own, limit=PIECE):
        yield f"{HOST}:{own}"


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause * len(piece) / PIECE)
    with contextlib.suppress(OSError):
        writer.close()
        await writer.wait_closed()
