"""An application's start and end, as ASGI tells it of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Message, Scope


@asynccontextmanager
async def lifespan(application: ASGIApp) -> AsyncIterator[None]:
    """Raises what the application's start or end raises, and RuntimeError where it says that it failed."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.3"}, "state": {}}
    running = asyncio.ensure_future(_run(application, scope, told, said))
    await _step(running, told, said, "startup")
    try:
        yield
    finally:
        await _step(running, told, said, "shutdown")
        await running


async def _run(application: ASGIApp, scope: Scope, told: asyncio.Queue[Message], said: asyncio.Queue[Message]) -> None:
    await application(scope, told.get, said.put)


async def _step(
    running: asyncio.Task[None], told: asyncio.Queue[Message], said: asyncio.Queue[Message], name: str
) -> None:
    told.put_nowait({"type": f"lifespan.{name}"})
    answer = asyncio.ensure_future(said.get())
    running.add_done_callback(lambda _: answer.cancel())
    await asyncio.wait([answer])
    if answer.cancelled():
        await running
        raise RuntimeError(f"the application ended at its {name}")
    if answer.result()["type"] != f"lifespan.{name}.complete":
        await running
        raise RuntimeError(f"the application's {name} failed: {answer.result().get('message', '')}")
