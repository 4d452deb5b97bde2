"""Keys that move while a real server with two workers serves: no token is refused, nothing private is shown."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from mooring.access import keyring
from tests import server as servers
from tests.access.backstage import backstage, wait_until
from tests.access.forgery import decode
from tests.conftest import StartServer
from tests.http.site import Reply, basic, bearer
from tests.http.wire import ask
from tests.server import Server

ROTATIONS: Final = 2
SECONDS: Final = 60


def keys(server: Server, *arguments: str) -> str:
    command = [sys.executable, "-m", "mooring", "keys", *arguments, "--data", str(server.data)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def jwks(server: Server) -> list[dict[str, str]]:
    found: list[dict[str, str]] = ask(server.url, "GET", "/.well-known/jwks.json").json["keys"]
    return found


def login(server: Server, password: str = "") -> Reply:
    scope = "repository:library/app:pull,push"
    return ask(
        server.url, "GET", f"/service/token?scope={scope}", [basic(server.username, password or server.password)]
    )


class Use:
    """Tokens asked for and used again and again, also long after they were issued."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.refused: list[Reply] = []
        self.tokens: list[str] = []
        self.used = 0
        self._ended = threading.Event()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._work) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    @property
    def kids(self) -> set[str]:
        return {decode(token)[0]["kid"] for token in self.tokens}

    def _work(self) -> None:
        while not self._ended.is_set():
            reply = login(self.server)
            if reply.status != 200:
                self.refused.append(reply)
                continue
            self.tokens.append(reply.json["token"])
            for token in (self.tokens[-1], self.tokens[0], self.tokens[len(self.tokens) // 2]):
                reply = ask(self.server.url, "GET", "/v2/", [bearer(token)])
                self.used += 1
                if reply.status != 200:
                    self.refused.append(reply)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own: keys that come and go would be in the way of others."""
    running = servers.start(tmp_path_factory.mktemp("keys") / "data")
    yield running
    running.kill()


def test_rotating_refuses_nobody(own: Server) -> None:
    use = Use(own)
    with use.going_on():
        for _ in range(ROTATIONS):
            kid = keys(own, "rotate", "--quiet").strip()
            wait_until(lambda kid=kid: kid in use.kids, SECONDS, f"tokens signed with {kid}")  # type: ignore[misc]
    assert not use.refused, (len(use.refused), use.used, use.refused[0])
    assert len(use.kids) >= ROTATIONS + 1
    listed = keys(own, "list")
    assert all(kid in listed for kid in use.kids)
    assert listed.count("active") == 1


def test_a_new_key_is_published_by_every_worker_before_it_signs(own: Server) -> None:
    kid = keys(own, "rotate", "--quiet").strip()
    token_of_it = None
    while token_of_it is None:
        token = login(own).json["token"]
        token_of_it = token if decode(token)[0]["kid"] == kid else None
    for _ in range(20):  # each on a connection of its own, so on both workers
        assert kid in {key["kid"] for key in jwks(own)}


def test_only_public_halves_are_shown(own: Server) -> None:
    keys(own, "rotate")
    with backstage(own.data) as behind:
        ring = behind.ring
        private = [key.key.as_dict(private=True)["d"] for key in ring.keys.values()]
    assert len(ring.keys) >= 2
    for key in jwks(own):
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    shown = [
        ask(own.url, "GET", "/.well-known/jwks.json").body.decode(),
        ask(own.url, "GET", "/metrics").body.decode(),
        keys(own, "list"),
        own.tail(10_000),
    ]
    database = b"".join(path.read_bytes() for path in own.data.glob("mooring.db*"))
    for secret in private:
        assert isinstance(secret, str)
        assert not any(secret in text for text in shown)
        assert secret.encode() not in database


def test_a_key_that_only_the_database_knows_yet_is_found(own: Server) -> None:
    """A token may arrive before this worker's next look at the keyring: one reload, and it is known."""
    with backstage(own.data) as behind:
        kid = behind.write(keyring.create, behind.sealing, behind.now)
        token = behind.token(kid=kid)
        for _ in range(4):
            assert ask(own.url, "GET", "/v2/", [bearer(token)]).status == 200


def test_a_token_outlives_every_process_that_issued_it(start_server: StartServer) -> None:
    first = start_server(workers=1)
    token = login(first).json["token"]
    first.kill()
    second = start_server(first.data, workers=2)
    for _ in range(6):
        assert ask(second.url, "GET", "/v2/", [bearer(token)]).status == 200
