"""How a worker begins and ends: the door, and who is in when it closes."""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from mooring.server import worker
from mooring.server.serving import Served, Serving
from mooring.server.worker import Door, serve
from tests.serving.answers import answers
from tests.serving.applications import Echo, answer, body
from tests.serving.client import Client, connected, run, turns

GET = b"GET /first HTTP/1.1\r\nHost: registry.test\r\n\r\n"
POST = b"POST /first HTTP/1.1\r\nHost: registry.test\r\nContent-Length: 4\r\n\r\n"


def listening() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def ending(client: Client) -> asyncio.Task[None]:
    task = asyncio.ensure_future(client.serving.end())
    await turns()
    return task


# --- who is in ---


def test_a_request_under_way_is_finished_and_is_the_last() -> None:
    async def end() -> None:
        echo = Echo()
        async with connected(echo) as client:
            await client.send(POST + b"th")
            await turns()
            task = await ending(client)
            assert not task.done()
            await client.send(b"is" + GET)
            (only,) = answers(await client.rest())
            assert only.headers[b"connection"] == b"close"
            await task
        assert [each.body for each in echo.seen] == [b"this"]

    run(end())


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET], ids=["nothing", "half a head", "a request"])
def test_who_waits_for_nothing_is_left_at_once(sent: bytes) -> None:
    async def end() -> None:
        async with connected(Echo()) as client:
            await client.send(sent)
            await turns()
            await (await ending(client))
            assert len(answers(await client.rest())) == (sent == GET)

    run(end())


def test_an_answer_under_way_is_sent_to_its_end() -> None:
    async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, *[bytes(1 << 20)] * 8)

    async def end() -> None:
        async with connected(large) as client:
            await client.send(GET)
            await turns()
            task = await ending(client)
            (whole,) = answers(await client.rest())
            assert len(whole.body) == 8 << 20
            await task

    run(end())


def test_a_client_that_takes_nothing_does_not_hold_the_end_for_ever() -> None:
    async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, bytes(8 << 20))

    async def end() -> None:
        async with connected(large) as client:
            await client.send(GET)
            await turns()
            task = await ending(client)
            assert not task.done()
            client.now += 1000
            await task

    run(end())


# --- the door ---


class Scarce:
    """A listening socket of a process that has no descriptors left, for a while."""

    def __init__(self, listener: socket.socket, failures: list[OSError]) -> None:
        self._listener = listener
        self._failures = failures

    def fileno(self) -> int:
        return self._listener.fileno()

    def close(self) -> None:
        self._listener.close()

    def accept(self) -> tuple[socket.socket, object]:
        if self._failures:
            raise self._failures.pop()
        return self._listener.accept()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ECONNABORTED, errno.EAGAIN])
def test_a_door_that_could_not_open_opens_again(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.01)

    async def entering() -> None:
        listener = listening()
        failures = [OSError(number, os.strerror(number)) for _ in range(3)]
        serving = Serving(Served(Echo()))
        door = Door(serving, Scarce(listener, failures))  # type: ignore[arg-type]
        door.open()
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n1")).startswith(b"HTTP/1.1 200 ")
        assert not failures
        writer.close()
        door.close()
        await serving.end()

    run(entering())


def test_a_door_that_was_closed_while_it_waited_stays_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.01)

    async def entering() -> None:
        listener = listening()
        failures = [OSError(errno.EMFILE, "none left")]
        door = Door(Serving(Served(Echo())), Scarce(listener, failures))  # type: ignore[arg-type]
        door.open()
        with socket.create_connection(listener.getsockname()):
            await eventually(lambda: not failures)
            door.close()
            await asyncio.sleep(0.05)

    run(entering())


class WithLife:
    """An application that is told of its start and end."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.reached = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message: Message = await receive()
                self.told.append(message["type"])
                await send({"type": f"{message['type']}.complete"})
            return
        self.told.append(scope["path"])
        self.reached.set()
        await body(receive)
        await answer(send, 200, b"late")


def test_a_worker_that_is_told_to_end_finishes_first() -> None:
    async def serving() -> None:
        application, listener = WithLife(), listening()
        task = asyncio.ensure_future(serve(Served(application), listener))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(POST)
        await application.reached.wait()
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        await eventually(lambda: listener.fileno() < 0)
        writer.write(b"this")
        assert (await reader.read()).endswith(b"\r\n\r\nlate")
        writer.close()
        await task
        assert application.told == ["lifespan.startup", "/first", "lifespan.shutdown"]

    run(serving())


def test_a_worker_whose_application_cannot_start_does_not_serve() -> None:
    async def failing(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no disk"})

    async def serving() -> None:
        with listening() as listener, pytest.raises(RuntimeError, match="no disk"):
            await serve(Served(failing), listener)

    run(serving())
