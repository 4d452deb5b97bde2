"""Bodies in chunked encoding, as docker sends them: thousands of frames, taken in their order."""

import hashlib
import random
import time
from concurrent.futures import ThreadPoolExecutor

from tests.registry.wire import Line, chunks, request
from tests.server import Server

FRAMES = 5_000
AT_ONCE = 4


def parts(seed: int) -> list[bytes]:
    """Chunks of all sizes, no two alike."""
    chance = random.Random(seed)
    return [chance.randbytes(chance.choice((1, 17, 4096, 32 * 1024))) for _ in range(FRAMES)]


def test_frames_come_in_their_order(server: Server) -> None:
    def push(seed: int) -> int:
        body = parts(seed)
        digest = hashlib.sha256(b"".join(body)).hexdigest()
        with Line(server, patience=60) as line:
            line.ask("POST", "/v2/library/streamed/blobs/uploads/", line.admin, "Content-Length: 0")
            location = line.read().headers["location"]
            line.ask("PATCH", location, line.admin, "Transfer-Encoding: chunked")
            line.send(b"".join(chunks(*body)))
            assert line.read().status == 202
            line.ask("PUT", f"{location}?digest=sha256:{digest}", line.admin, "Content-Length: 0")
            return line.read().status

    with ThreadPoolExecutor(AT_ONCE) as pushers:
        assert list(pushers.map(push, range(AT_ONCE * 2))) == [201] * AT_ONCE * 2


def test_a_streamed_body_that_breaks_off_is_not_taken_for_whole(server: Server) -> None:
    content = b"".join(parts(99)[:200])
    with Line(server) as line:
        line.ask("POST", "/v2/library/streamed/blobs/uploads/", line.admin, "Content-Length: 0")
        location = line.read().headers["location"]
    with Line(server) as gone:
        digest = hashlib.sha256(content).hexdigest()
        gone.ask("PUT", f"{location}?digest=sha256:{digest}", gone.admin, "Transfer-Encoding: chunked")
        gone.send(b"%x\r\n%s\r\n" % (len(content), content))  # all of it, but not the end
    end = time.monotonic() + 20
    while (status := request(server, "PATCH", location).status) == 503 and time.monotonic() < end:
        pass  # the server may not have noticed yet
    assert status == 202
    with Line(server) as line:
        line.ask("HEAD", f"/v2/library/streamed/blobs/sha256:{digest}", line.admin)
        assert line.read().status == 404
