"""Streams of requests, cut anywhere and broken anyhow."""

import socket
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.answers import Answer, answers
from tests.serving.applications import Echo, Seen
from tests.serving.client import connected, run, turns

TOKENS = st.text("abcXYZ019-_", min_size=1, max_size=8)
VALUES = st.text("".join(map(chr, range(33, 127))) + " \t", max_size=12).map(str.strip)
HOST = (b"host", b"registry.test")
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: registry.test\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Sent:
    """A request, and what an application should see of it."""

    data: bytes
    seen: Seen


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]))
    path = "/" + draw(st.sampled_from(["", "quick/"])) + draw(TOKENS)
    query = draw(st.one_of(st.just(""), TOKENS))
    own = draw(st.lists(st.tuples(TOKENS.map("X-{}".format), VALUES), max_size=3))
    content = draw(st.binary(max_size=40))
    framing, body = draw(st.sampled_from([bare, measured, chunked, chunked_with_trailers]))(content)
    upgrade = draw(st.sampled_from([b"", UPGRADE]))
    before = draw(st.sampled_from([b"", b"\r\n"]))
    lines = b"".join(f"{name}:{value}\r\n".encode() for name, value in own)
    target = path + (f"?{query}" if query else "")
    head = f"{method} {target} HTTP/1.1\r\nHost: registry.test\r\n".encode()
    headers = [HOST, *((name.lower().encode(), value.encode()) for name, value in own)]
    whole = content if framing else b""
    return Sent(
        before + head + lines + upgrade + framing + b"\r\n" + body, Seen(method, path, query.encode(), headers, whole)
    )


def bare(_content: bytes) -> tuple[bytes, bytes]:
    return b"", b""


def measured(content: bytes) -> tuple[bytes, bytes]:
    return b"Content-Length: %d\r\n" % len(content), content


def chunked(content: bytes, trailers: bytes = b"") -> tuple[bytes, bytes]:
    middle = len(content) // 2
    chunks = [b"%x;by=half\r\n%b\r\n" % (len(part), part) for part in (content[:middle], content[middle:]) if part]
    return b"Transfer-Encoding: chunked\r\n", b"".join([*chunks, b"0\r\n", trailers, b"\r\n"])


def chunked_with_trailers(content: bytes) -> tuple[bytes, bytes]:
    return chunked(content, b"X-Admin: yes\r\nAuthorization: Basic YTpi\r\n")


async def exchange(pieces: list[bytes], echo: Echo, *, at_once: bool = True) -> bytes:
    async with connected(echo, echo.quick, at_once=at_once) as client:
        for piece in pieces:
            await client.send(piece)
            await turns(2)
        return await client.rest()


def cut(data: bytes, places: set[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@settings(max_examples=150, deadline=None)
@given(
    sent=st.lists(requests(), min_size=1, max_size=6),
    places=st.sets(st.integers(1, 1500), max_size=12),
    at_once=st.booleans(),
)
def test_the_same_requests_come_in_the_same_order_however_they_are_cut(
    sent: list[Sent], places: set[int], at_once: bool
) -> None:
    echo = Echo()
    back = run(exchange(cut(b"".join(each.data for each in sent) + LAST, places), echo, at_once=at_once))
    *found, last = echo.seen
    assert last.path == "/last"
    assert [plain(each) for each in found] == [plain(each.seen) for each in sent]
    bodies = [(each.seen.body, saw.body) for each, saw in zip(sent, found, strict=True) if saw.body is not None]
    assert [wanted for wanted, _ in bodies] == [body for _, body in bodies]
    methods = [each.seen.method for each in sent]
    numbers = [b"" if method == "HEAD" else b"%d" % (number + 1) for number, method in enumerate(methods)]
    assert [each.body for each in answers(back, methods)] == [*numbers, b"%d" % (len(sent) + 1)]


def plain(seen: Seen) -> tuple[str, str, bytes, list[tuple[bytes, bytes]]]:
    """Without the headers of which this test varies whether they are there, and the body, which not everybody takes."""
    varied = (b"content-length", b"transfer-encoding", b"connection", b"upgrade")
    return seen.method, seen.path, seen.query, [header for header in seen.headers if header[0] not in varied]


@settings(max_examples=150, deadline=None)
@given(sent=st.one_of(st.just([]), st.lists(requests(), max_size=2)), garbage=st.binary(min_size=1, max_size=300))
def test_garbage_is_refused_and_takes_nothing_with_it_that_came_before(sent: list[Sent], garbage: bytes) -> None:
    echo = Echo()
    found = run(answered_until_the_end(b"".join(each.data for each in sent) + garbage, echo))
    assert len(echo.seen) >= len(sent)
    assert [each.status for each in found[: len(sent)]] == [200] * len(sent)
    assert all(each.status < 500 for each in found)


@settings(max_examples=150, deadline=None)
@given(
    sent=st.lists(requests().filter(lambda each: each.seen.method != "HEAD"), min_size=1, max_size=3),
    place=st.integers(0, 800),
    instead=st.sampled_from([b"", b"\n", b"\r", b"\0", b" ", b"\r\n\r\n", b":", b"0", b"\xff"]),
)
def test_a_request_that_is_damaged_anywhere_harms_nobody(sent: list[Sent], place: int, instead: bytes) -> None:
    stream = b"".join(each.data for each in sent)
    place %= len(stream)
    found = run(answered_until_the_end(stream[:place] + instead + stream[place + 1 :], Echo()))
    assert all(each.status < 500 for each in found)
    assert [each.status for each in found].count(400) <= 1


async def answered_until_the_end(data: bytes, echo: Echo) -> list[Answer]:
    """With as much as came, when the client has nothing more to say."""
    async with connected(echo, echo.quick) as client:
        await client.send(data)
        await turns(60)
        client.socket.shutdown(socket.SHUT_WR)
        return answers(await client.rest(), [each.method for each in echo.seen])
