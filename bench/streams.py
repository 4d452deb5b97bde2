"""Many uploads of one size at once, none of which is ever whole: what they cost while they are under way."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from functools import lru_cache

from bench.content import CHUNK, MIB
from bench.registries import Registry
from bench.wire import Line, message

REPOSITORY = "library/bench-memory"
OCTETS = b"Content-Type: application/octet-stream\r\n"


@contextmanager
def streaming(registry: Registry, count: int, size: int, each: int, chunked: bool) -> Iterator[Sequence[Future[None]]]:
    """`count` connections announce `size` bytes and send `each` of them; all stay open until this is left.

    A future is done when its connection has sent its part.
    """
    fields = registry.fields(REPOSITORY)
    with ExitStack() as open_lines, ThreadPoolExecutor(count) as threads:
        lines = [open_lines.enter_context(Line(registry.address, fields)) for _ in range(count)]
        begun = list(threads.map(lambda line: _begin(line, size, chunked), lines))
        assert len(begun) == count
        sent = [threads.submit(_send, line, each, chunked) for line in lines]
        try:
            yield sent
        finally:
            # A thread that is stuck in sending ends with its connection.
            open_lines.close()
            wait(sent)


def _begin(line: Line, size: int, chunked: bool) -> None:
    place = line.ask("POST", f"/v2/{REPOSITORY}/blobs/uploads/", body=b"").expect(202, "POST upload").target
    length = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % size
    line.socket.sendall(message("PATCH", place, line.host, line.fields + OCTETS + length))


def _send(line: Line, each: int, chunked: bool) -> None:
    noise = _noise(chunked)
    for _ in range(each // MIB):
        line.socket.sendall(noise)


@lru_cache
def _noise(chunked: bool) -> bytes:
    """1 MiB, the same for all: nothing of it is kept in fewer bytes."""
    noise = os.urandom(MIB)
    if not chunked:
        return noise
    return b"".join(b"%x\r\n%b\r\n" % (CHUNK, noise[at : at + CHUNK]) for at in range(0, MIB, CHUNK))
