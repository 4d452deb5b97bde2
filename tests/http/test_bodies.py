"""Bodies on their way: sent to nobody who left, each wait bounded."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest
from starlette.types import Message

from mooring.errors import ClientGone
from mooring.http.body import send_body
from mooring.http.patience import Patience

pytestmark = pytest.mark.anyio

PATIENCE = 0.2
LEFT: Message = {"type": "http.disconnect"}
LAST: Message = {"type": "http.request", "body": b"", "more_body": False}


class Server:
    """The server's side of one request: hands over messages in the order of the calls."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)

    def receive(self) -> asyncio.Future[Message]:
        answer = asyncio.get_running_loop().create_future()
        if self._messages:
            answer.set_result(self._messages.pop(0))
        return answer


class Blob:
    """A store's chunks, counted as they are read."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.read = 0
        self.closed = False

    async def stream(self) -> AsyncGenerator[bytes]:
        try:
            for _ in range(self.chunks):
                self.read += 1
                yield b"x"
        finally:
            self.closed = True


def receiving(*messages: Message) -> Callable[[], asyncio.Future[Message]]:
    return Server(*messages).receive


async def test_a_blob_is_sent_to_its_end() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await send_body(Blob(3).stream(), receiving(LAST), send, PATIENCE)
    assert b"".join(message["body"] for message in sent) == b"xxx"
    assert [message.get("more_body", False) for message in sent] == [True, True, True, False]


async def test_nothing_more_is_read_for_a_client_that_left() -> None:
    async def send(_message: Message) -> None:
        await asyncio.sleep(0)

    blob = Blob(100_000)
    with pytest.raises(ClientGone):
        await send_body(blob.stream(), receiving(LAST, LEFT), send, PATIENCE)
    assert blob.read < 10
    assert blob.closed


async def test_a_client_that_takes_nothing_is_left() -> None:
    async def send(_message: Message) -> None:
        await asyncio.Event().wait()

    blob = Blob(2)
    with pytest.raises(ClientGone):
        await asyncio.wait_for(send_body(blob.stream(), receiving(LAST), send, PATIENCE), 10)
    assert blob.closed


async def test_patience_is_for_each_wait_and_not_for_all() -> None:
    patience = Patience(PATIENCE, ClientGone())
    for _ in range(6):
        with patience:
            await asyncio.sleep(PATIENCE / 3)
        await asyncio.sleep(PATIENCE / 3)  # what is done between two waits does not count
    with pytest.raises(ClientGone), patience:
        await asyncio.sleep(60)
    patience.end()


async def test_a_cancellation_from_elsewhere_is_not_taken_for_impatience() -> None:
    async def waiting() -> None:
        with Patience(60, ClientGone()):
            await asyncio.sleep(60)

    task = asyncio.ensure_future(waiting())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
