"""Where a request ends and where an answer does: what a client, or a proxy before it, could take for something else."""

import pytest
from starlette.types import Receive, Scope, Send

from tests.serving.answers import answers
from tests.serving.applications import Echo, answer, body
from tests.serving.client import connected, run, turns

HOST = b"Host: registry.test\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\n" + HOST + b"\r\n"
FIRST = b"GET /first HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(headers: bytes, content: bytes = b"") -> bytes:
    return b"POST /first HTTP/1.1\r\n" + HOST + headers + b"\r\n" + content


# --- requests ---


@pytest.mark.parametrize(
    "data",
    [
        post(b"Content-Length: 6\r\n" + CHUNKED, b"0\r\n\r\n" + HIDDEN),
        post(CHUNKED + b"Content-Length: 6\r\n", b"0\r\n\r\n" + HIDDEN),
        post(b"Content-Length: 0\r\nContent-Length: 3\r\n", HIDDEN),
        post(b"Content-Length: 0, 3\r\n", HIDDEN),
        post(b"Content-Length: +0\r\n", HIDDEN),
        post(b"Content-Length : 3\r\n", HIDDEN),
        post(b"Content-Length: 18446744073709551616\r\n", HIDDEN),
        post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + HIDDEN),
        post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + HIDDEN),
        post(b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n" + HIDDEN),
        post(b"X: y\nContent-Length: 3\r\n", HIDDEN),
        post(b"X: y\rContent-Length: 3\r\n", HIDDEN),
        post(b"X: y\r\n Content-Length: 3\r\n", HIDDEN),
        post(b"Transfer-Encoding:\r\n chunked\r\n", HIDDEN),
        post(b"X: y\0\r\n", HIDDEN),
        b"GET /first HTTP/1.1\n" + HOST + b"\n" + HIDDEN,
        b"GET /first HTTP/2.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n" + HIDDEN,
        b"GET /first HTTP/0.9\r\n" + HOST + b"Connection: keep-alive\r\n\r\n" + HIDDEN,
        b"CONNECT registry.test:443 HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    ],
)
def test_what_two_could_read_in_two_ways_is_refused_with_all_that_follows(data: bytes) -> None:
    found, echo = run(asked(data))
    assert [each.status for each in answers(found)] == [400]
    assert all(each.body is None for each in echo.seen), "a body was taken for whole"
    assert "/hidden" not in [each.path for each in echo.seen]


async def asked(data: bytes) -> tuple[bytes, Echo]:
    echo = Echo()
    async with connected(echo, echo.quick) as client:
        return await client.all(data), echo


@pytest.mark.parametrize(
    "broken",
    [b"4\r\nthatX\r\n", b"4\nthat\r\n", b"4 \r\nthat\r\n", b"0x4\r\nthat\r\n", b"-4\r\n", b"\r\n", b"4;\nthat\r\n"],
)
@pytest.mark.parametrize("before", [b"", FIRST], ids=["alone", "behind another request"])
def test_a_broken_chunked_body_is_never_whole(before: bytes, broken: bytes) -> None:
    found, echo = run(asked(before + post(CHUNKED, b"4\r\nthis\r\n" + broken + b"0\r\n\r\n" + HIDDEN)))
    assert [each.status for each in answers(found)] == [200] * bool(before) + [400]
    assert [each.body for each in echo.seen if each.method == "POST"] in ([], [None])


@pytest.mark.parametrize("junk", [b"\0", b"junk\r\n\r\n", b"GET /hidden HTTP/1.1\r\nBad Header: x\r\n\r\n"])
def test_what_came_whole_before_junk_is_answered_as_ever(junk: bytes) -> None:
    found, echo = run(asked(FIRST + post(b"Content-Length: 4\r\n", b"this") + junk))
    assert [(each.status, each.body) for each in answers(found)[:2]] == [(200, b"1"), (200, b"2")]
    assert [each.status for each in answers(found)[2:]] == [400]
    assert [each.body for each in echo.seen] == [b"", b"this"]


def test_nothing_follows_an_answer_that_says_it_is_the_last() -> None:
    found, echo = run(asked(LAST + HIDDEN))
    assert [each.headers[b"connection"] for each in answers(found)] == [b"close"]
    assert [each.path for each in echo.seen] == ["/last"]


@pytest.mark.parametrize("path", ["/first", "/quick"])
@pytest.mark.parametrize("token", [b"h2c", b"websocket"])
def test_a_wish_for_another_protocol_does_not_take_the_body_out(path: str, token: bytes) -> None:
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: " + token + b"\r\n"
    data = post(wish + b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN).replace(b"/first", path.encode())
    found, echo = run(asked(data + LAST))
    assert [each.path for each in echo.seen] == [path, "/last"]
    assert path == "/quick" or echo.seen[0].body == HIDDEN
    assert [each.status for each in answers(found)] == [200, 200]


def test_thousands_of_wishes_for_another_protocol_are_read_one_after_another() -> None:
    wish = b"GET /quick HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    found, _ = run(asked(wish * 3000 + LAST))
    assert len(answers(found)) == 3001


def test_a_body_after_a_get_is_a_body() -> None:
    get = b"GET /first HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN
    _, echo = run(asked(get + get.replace(b"/first", b"/quick") + LAST))
    assert [each.path for each in echo.seen] == ["/first", "/quick", "/last"]
    assert echo.seen[0].body == HIDDEN


def test_what_comes_after_a_chunked_body_is_no_header() -> None:
    _, echo = run(
        asked(post(CHUNKED, b"4\r\nthis\r\n0\r\nAuthorization: Basic YTpi\r\nX-Request-Id: forged00\r\n\r\n") + LAST)
    )
    assert echo.seen[0].body == b"this"
    assert [name for name, _ in echo.seen[0].headers] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://elsewhere.test/v2/", "/v2/", b""),
        (b"http://elsewhere.test", "/", b""),
        (b"HTTP://elsewhere.test:80?a=b", "/", b"a=b"),
        (b"http://elsewhere.test/a%20b?c=%64", "/a b", b"c=%64"),
        (b"/a?b?c#d", "/a", b"b?c"),
        (b"//elsewhere.test/v2/", "//elsewhere.test/v2/", b""),
        (b"*", "*", b""),
    ],
)
def test_the_forms_of_a_target(target: bytes, path: str, query: bytes) -> None:
    _, echo = run(asked(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"))
    assert [(each.path, each.query) for each in echo.seen] == [(path, query)]


# --- `Expect: 100-continue` ---

EXPECTING = b"Expect: 100-continue\r\nContent-Length: 4\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def unread(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answer(send, 403, b"no")


def test_a_body_is_asked_for_when_the_application_reads() -> None:
    async def asking() -> None:
        echo = Echo()
        async with connected(echo) as client:
            await client.send(post(EXPECTING))
            assert await client.until(b"\r\n\r\n") == CONTINUE
            await client.send(b"this" + LAST)
            assert [each.status for each in answers(await client.rest())] == [200, 200]
        assert echo.seen[0].body == b"this"

    run(asking())


def test_a_body_is_not_asked_for_before_its_turn() -> None:
    async def asking() -> None:
        echo = Echo()
        async with connected(echo) as client:
            await client.send(post(b"Content-Length: 4\r\n") + b"th")
            await turns()
            await client.send(b"is" + post(EXPECTING))
            found = await client.until(CONTINUE)
            assert [each.status for each in answers(found)] == [200, 100]

    run(asking())


def test_nobody_is_asked_for_a_body_that_nobody_reads() -> None:
    async def asking() -> bytes:
        async with connected(unread) as client:
            await client.send(post(EXPECTING))
            return await client.rest()

    (only,) = answers(run(asking()))
    assert only.status == 403
    assert only.headers[b"connection"] == b"close"


@pytest.mark.parametrize(
    "data", [post(EXPECTING, b"this"), post(EXPECTING).replace(b"HTTP/1.1", b"HTTP/1.0") + b"this"], ids=["came", "1.0"]
)
def test_nobody_is_asked_for_what_comes_anyway(data: bytes) -> None:
    found, echo = run(asked(data + LAST))
    assert 100 not in [each.status for each in answers(found)]
    assert echo.seen[0].body == b"this"


# --- answers ---


class Says:
    """One answer to all."""

    def __init__(self, status: int, *parts: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self._status, self._parts = status, parts
        self._headers = headers

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await body(receive)
        await answer(send, self._status, *self._parts, headers=self._headers)


async def said(says: Says, data: bytes) -> bytes:
    async with connected(says) as client:
        return await client.all(data)


@pytest.mark.parametrize("parts", [(b"",), (b"all",), (b"some", b"of", b"it", b"")])
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("GET", 304), ("HEAD", 304), ("GET", 200)]
)
def test_what_has_no_body_is_followed_by_the_next_answer(method: str, status: int, parts: tuple[bytes, ...]) -> None:
    found = run(said(Says(status, *parts), (FIRST * 2 + LAST).replace(b"GET", method.encode())))
    each = answers(found, [method] * 3)
    assert [one.status for one in each] == [status] * 3
    assert {one.body for one in each} == {b"".join(parts) if (method, status) == ("GET", 200) else b""}
    if status in (204, 304):
        assert not {b"transfer-encoding", b"content-length"} & each[0].headers.keys()


def test_a_client_of_http_1_0_gets_no_chunks() -> None:
    found = run(said(Says(200, b"some", b"more"), b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + HIDDEN))
    (only,) = answers(found)
    assert only.body == b"somemore"
    assert only.headers.keys() == {b"date", b"connection"}


@pytest.mark.parametrize(
    "parts",
    [(b"four",), (b"fo", b"ur"), (b"fo", b""), (b"fo",), (b"",), (b"longer",), (b"fi", b"v", b"er")],
    ids=lambda parts: b"+".join(parts).decode() or "nothing",
)
def test_an_answer_of_another_length_than_it_says_is_the_last(parts: tuple[bytes, ...]) -> None:
    headers = ((b"content-length", b"4"),)
    found = run(said(Says(200, *parts, headers=headers), FIRST + LAST))
    if b"".join(parts) == b"four":
        assert [each.body for each in answers(found)] == [b"four"] * 2
        return
    assert found.count(b"HTTP/1.1 ") <= 1
    assert len(found.partition(b"\r\n\r\n")[2]) < 4, "it was taken for whole"


@pytest.mark.parametrize(
    "value", [b"a\r\nx-injected: b", b"a\nx-injected: b", b"a\rx-injected: b", b"\r\n\r\nbody", b"\0"]
)
@pytest.mark.parametrize("in_name", [False, True])
def test_no_header_breaks_out_of_its_line(value: bytes, in_name: bool) -> None:
    header = (value, b"a") if in_name else (b"location", value)
    assert run(said(Says(200, b"body", headers=(header,)), LAST)) == b""


def test_an_answer_that_fails_half_way_is_not_whole() -> None:
    async def failing(_scope: Scope, receive: Receive, send: Send) -> None:
        await body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise RuntimeError

    async def asking() -> bytes:
        async with connected(failing) as client:
            return await client.all(FIRST + LAST)

    with pytest.raises(ValueError, match="invalid literal"):
        answers(run(asking()))


def test_a_quick_answer_that_fails_is_left_to_the_application() -> None:
    def failing(*_: object) -> None:
        raise OSError

    async def asking() -> bytes:
        async with connected(Echo(), failing) as client:
            return await client.all(FIRST + LAST)

    assert [each.status for each in answers(run(asking()))] == [200, 200]


def test_answers_keep_their_order_whoever_gives_them() -> None:
    quick = FIRST.replace(b"/first", b"/quick")
    found, echo = run(asked(quick + FIRST + quick * 3 + post(b"Content-Length: 4\r\n", b"this") + quick + LAST))
    assert [each.body for each in answers(found)] == [b"%d" % number for number in range(1, 9)]
    assert [each.path for each in echo.seen][:5] == ["/quick", "/first", "/quick", "/quick", "/quick"]
