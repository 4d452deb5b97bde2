"""How much of a worker one client can take: memory, time, and what it does not take itself."""

import asyncio
import socket

import pytest
from starlette.types import Receive, Scope, Send

from mooring.http.prepared import Answer
from mooring.server.connection import HEAD_SECONDS, HIGH_WATER, IDLE_SECONDS, LEAVING_SECONDS
from mooring.server.cycle import HELD_SHARES
from mooring.server.reader import LONGEST_HEAD
from mooring.server.room import LARGEST
from tests.serving.answers import answers
from tests.serving.applications import Echo, answer, body
from tests.serving.client import Client, connected, run, turns

MIB = 1024 * 1024
HOST = b"Host: registry.test\r\n"
GET = b"GET /first HTTP/1.1\r\n" + HOST + b"\r\n"
HELD = HELD_SHARES * LARGEST
QUICK = b"GET /quick HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
CHUNKED = b"POST /first HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


class Gated:
    """Does nothing before it is let."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.began = 0

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self.began += 1
        await self.gate.wait()
        content = await body(receive)
        await answer(send, 200, b"%d" % len(content or b""))


async def push(client: Client, data: bytes) -> int:
    """How much of it is taken while the server has every chance to."""
    sent, idle = 0, 0
    while sent < len(data) and idle < 50:
        try:
            sent += client.socket.send(data[sent : sent + 65536])
            idle = 0
        except BlockingIOError:
            idle += 1
        await turns(1)
    return sent


# --- memory ---


def test_no_more_of_a_body_is_taken_than_the_application_wants() -> None:
    async def pushing() -> None:
        application = Gated()
        async with connected(application) as client:
            length = 16 * MIB
            head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % length
            await client.send(head)
            taken = await push(client, bytes(length))
            assert taken < HELD + MIB
            application.gate.set()
            await client.send(bytes(length - taken))
            assert (await client.until(b"%d" % length)).startswith(b"HTTP/1.1 200 ")

    run(pushing())


def test_no_more_of_an_answer_is_made_than_the_client_takes() -> None:
    made = 0

    async def streaming(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal made
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(256):
            made += 65536
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def pulling() -> None:
        async with connected(streaming) as client:
            await client.send(LAST)
            await turns(200)
            assert made < HIGH_WATER + MIB
            (whole,) = answers(await client.rest())
            assert whole.body == bytes(16 * MIB)

    run(pulling())


def test_quick_answers_wait_for_a_client_that_takes_none() -> None:
    async def pulling() -> None:
        content = bytes(MIB)

        async def quick(*_: object) -> Answer:
            return Answer(200, b"content-length: %d\r\n" % len(content), content)

        application = Gated()
        async with connected(application, quick) as client:
            await client.send(QUICK * 15)
            await turns()
            buffered = client.connection._transport.get_write_buffer_size()
            application.gate.set()
            assert buffered < 3 * MIB
            client.socket.shutdown(socket.SHUT_WR)
            found = answers(await client.rest())
            assert {each.body for each in found} <= {content, b"0"}

    run(pulling())


def test_requests_that_wait_for_their_turn_have_a_limit() -> None:
    async def asking() -> None:
        application = Gated()
        async with connected(application) as client:
            await client.send(GET * 2000)
            await turns()
            assert application.began == 1
            application.gate.set()
            found = [each.status for each in answers(await client.rest())]
            assert found == [200] * (len(found) - 1) + [400]
            assert 2 <= len(found) < 30

    run(asking())


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /" + b"a" * 4 * MIB,
        b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 4 * MIB,
        b"GET / HTTP/1.1\r\n" + b"X" * 4 * MIB,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * MIB,
        b"\r\n" * 2 * MIB,
        CHUNKED + b"4\r\nthis\r\n0\r\n" + b"X: " + b"x" * 4 * MIB,
        CHUNKED + b"4\r\nthis\r\n0\r\n" + b"X: y\r\n" * MIB,
        CHUNKED + b"4;x=" + b"x" * 4 * MIB,
        QUICK.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + b"0\r\n" + b"X: y\r\n" * MIB,
    ],
    ids=["target", "value", "name", "headers", "nothing", "trailer", "trailers", "extension", "trailers nobody wants"],
)
def test_what_never_ends_is_cut_off_and_told_why(endless: bytes) -> None:
    async def asking() -> list[int]:
        echo = Echo()
        async with connected(echo, echo.quick) as client:
            await client.send(endless)
            client.socket.shutdown(socket.SHUT_WR)
            return [each.status for each in answers(await client.rest())]

    assert run(asking())[-1:] in ([431], [400])


def test_a_head_as_long_as_it_may_be_is_taken() -> None:
    async def asking() -> list[int]:
        async with connected(Echo()) as client:
            long = b"GET /first HTTP/1.1\r\nX: " + b"x" * (LONGEST_HEAD - 100) + b"\r\n\r\n"
            return [each.status for each in answers(await client.all(long * 2 + LAST))]

    assert run(asking()) == [200] * 3


@pytest.mark.parametrize(("count", "status"), [(200, 200), (201, 431)])
@pytest.mark.parametrize("path", [b"/first", b"/quick"])
def test_headers_have_a_number(path: bytes, count: int, status: int) -> None:
    async def asking() -> list[int]:
        echo = Echo()
        async with connected(echo, echo.quick) as client:
            head = b"GET " + path + b" HTTP/1.1\r\n" + b"X: y\r\n" * count + b"\r\n"
            return [each.status for each in answers(await client.all(head + LAST))]

    assert run(asking())[0] == status


# --- time ---


@pytest.mark.parametrize("began", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_does_not_end_is_not_waited_for(began: bytes) -> None:
    async def waiting() -> None:
        async with connected(Echo()) as client:
            await client.send(began)
            await turns()
            client.pass_time(HEAD_SECONDS - 1)
            assert not client.connection._transport.is_closing()
            await client.send(began[:0])
            client.pass_time(2)
            assert await client.rest() == b""

    run(waiting())


def test_a_byte_now_and_then_does_not_keep_a_head_alive() -> None:
    async def waiting() -> None:
        async with connected(Echo()) as client:
            await client.send(LAST[:-20])
            for byte in LAST[-20:-1]:
                await client.send(bytes([byte]))
                await turns(3)
                client.pass_time(HEAD_SECONDS / 10)
            assert await client.rest() == b""

    run(waiting())


@pytest.mark.parametrize("first", [GET, QUICK], ids=["application", "quick"])
def test_a_connection_may_rest_between_two_requests_but_not_for_ever(first: bytes) -> None:
    async def waiting() -> None:
        echo = Echo()
        async with connected(echo, echo.quick) as client:
            for number in range(1, 4):
                await client.send(first)
                await client.until(b"\r\n\r\n%d" % number)
                await turns()
                client.pass_time(IDLE_SECONDS - 1)
            client.pass_time(2)
            assert await client.rest() == b""

    run(waiting())


def test_an_answer_that_takes_long_is_not_cut_by_what_was_sent_after_it() -> None:
    """Half a head of the next request, which nobody reads on before the answer."""

    async def waiting() -> None:
        application = Gated()
        async with connected(application) as client:
            await client.send(GET + GET + LAST[:20])
            await turns()
            client.pass_time(10 * HEAD_SECONDS)
            application.gate.set()
            await turns()
            client.pass_time(HEAD_SECONDS - 1)
            await client.send(LAST[20:])
            assert [each.status for each in answers(await client.rest())] == [200] * 3

    run(waiting())


def test_half_a_head_behind_an_answer_is_not_waited_for_for_ever() -> None:
    async def waiting() -> None:
        application = Gated()
        application.gate.set()
        async with connected(application) as client:
            await client.send(GET + LAST[:20])
            await turns()
            client.pass_time(HEAD_SECONDS + 1)
            assert len(answers(await client.rest())) == 1

    run(waiting())


def test_a_client_that_does_not_take_the_end_of_an_answer_is_left() -> None:
    async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, bytes(8 * MIB))

    async def waiting() -> None:
        async with connected(large) as client:
            await client.send(GET)
            await turns()
            client.pass_time(IDLE_SECONDS + 1)
            await turns()
            assert client.serving._connections, "it was given no time to take it"
            client.pass_time(IDLE_SECONDS + 1)
            await turns()
            assert not client.serving._connections

    run(waiting())


def test_a_client_that_sends_on_after_a_refusal_gets_it_and_is_left_then() -> None:
    async def waiting() -> None:
        async with connected(Echo()) as client:
            await client.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 4 * MIB)
            (refused,) = answers(await client.rest())
            assert refused.status == 431
            assert refused.headers[b"connection"] == b"close"
            assert await push(client, bytes(MIB)) == MIB
            client.pass_time(LEAVING_SECONDS + 1)
            await turns()
            assert not client.serving._connections
            with pytest.raises(BrokenPipeError):
                client.socket.send(b"x")

    run(waiting())


def test_a_client_whose_body_nobody_reads_gets_the_answer() -> None:
    gate = asyncio.Event()

    async def unread(_scope: Scope, _receive: Receive, send: Send) -> None:
        await gate.wait()
        await answer(send, 200, b"no need")

    async def pushing() -> None:
        async with connected(unread) as client:
            length = 4 * MIB
            await client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % length)
            taken = await push(client, bytes(length))
            assert taken < length
            gate.set()
            await client.send(bytes(length - taken) + GET)
            (only,) = answers(await client.rest())
            assert only.body == b"no need"

    run(pushing())


# --- clients that leave ---


@pytest.mark.parametrize("sent", [GET, CHUNKED + b"4\r\nth"], ids=["waiting", "in a body"])
def test_an_application_is_told_that_its_client_left(sent: bytes) -> None:
    async def leaving() -> None:
        told: list[str] = []

        async def waiting(_scope: Scope, receive: Receive, send: Send) -> None:
            while (message := await receive())["type"] != "http.disconnect":
                pass
            told.append(message["type"])
            await answer(send, 200, b"to nobody")

        async with connected(waiting) as client:
            await client.send(sent)
            await turns()
            client.socket.close()
            await turns()
            assert told == ["http.disconnect"]
            assert not client.serving._connections

    run(leaving())


def test_an_application_that_waits_for_a_client_to_take_is_let_go_when_it_leaves() -> None:
    async def leaving() -> None:
        ended = asyncio.Event()

        async def streaming(_scope: Scope, _receive: Receive, send: Send) -> None:
            await answer(send, 200, *[bytes(MIB)] * 16)
            ended.set()

        async with connected(streaming) as client:
            await client.send(GET)
            await turns()
            assert not ended.is_set()
            client.socket.close()
            await asyncio.wait_for(ended.wait(), 5)

    run(leaving())


def test_many_bodies_get_less_room_each_than_few() -> None:
    async def pushing() -> None:
        application = Gated()
        async with connected(application) as client:
            room = client.serving.room
            assert room.share == LARGEST
            for _ in range(100):
                room.enter()
            others = room.share
            await client.send(b"PUT /a HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n" + bytes(1000))
            await turns()
            assert room.share < others < LARGEST / 4
            client.socket.shutdown(socket.SHUT_RDWR)
            await turns()
            assert room.share == others, "who left takes no room"
            application.gate.set()

    run(pushing())
