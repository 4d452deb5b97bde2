"""A stand-in that a program can ask: it runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

from tests.doctor.harbor import Harbor, served


@contextmanager
def standing(harbor: Harbor) -> Iterator[Harbor]:
    ready, over = threading.Event(), threading.Event()
    trouble: list[BaseException] = []

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            await served(harbor, stack)
            ready.set()
            await asyncio.to_thread(over.wait)

    def main() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001
            trouble.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=main)
    thread.start()
    ready.wait(30)
    try:
        yield harbor
    finally:
        over.set()
        thread.join(30)
    assert not trouble, trouble
