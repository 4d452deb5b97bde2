"""One stale password in one job: the job is slowed down, and nobody else notices (goharbor/harbor#19374)."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pytest

from tests.api import Api, Robot, User
from tests.http.site import Reply, basic
from tests.http.wire import ask
from tests.server import Server

HAMMERS: Final = 12
LOGINS: Final = 12
PATIENCE: Final = 15.0
"""Seconds after which docker gives up on a token."""


class Hammer:
    """Wrong passwords for one account, from the same address as everybody's, on many connections at once."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        self.replies: list[Reply] = []
        self._ended = threading.Event()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(HAMMERS)]
        for thread in threads:
            thread.start()
        try:
            while len(self.replies) < 30:  # it is in full swing, and over the limit
                time.sleep(0.05)
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _work(self, number: int) -> None:
        tries = 0
        while not self._ended.is_set():
            # Half of them the same stale password, half of them guesses.
            password = "stale" if number % 2 else f"guess-{number}-{tries}"
            self.replies.append(login(self.server, self.name, password))
            tries += 1


def login(server: Server, name: str, password: str) -> Reply:
    scope = "repository:library/app:pull"
    return ask(server.url, "GET", f"/service/token?scope={scope}", [basic(name, password)])


@pytest.fixture
def user(admin: Api) -> User:
    return admin.create_user("hammered")


@pytest.fixture
def robot(admin: Api) -> Robot:
    return admin.create_robot(admin.create_project("hammered"))


@pytest.mark.parametrize("kind", ["user", "robot"])
def test_the_right_one_is_never_refused(server: Server, user: User, robot: Robot, kind: str) -> None:
    account = user if kind == "user" else robot
    hammer, seconds = Hammer(server, account.name), []
    with hammer.going_on():
        for _ in range(LOGINS):
            started = time.monotonic()
            reply = login(server, account.name, account.password)
            seconds.append(time.monotonic() - started)
            assert reply.status == 200, reply
    assert max(seconds) < PATIENCE
    assert {reply.status for reply in hammer.replies} == {401, 429}
    assert {reply.reason for reply in hammer.replies} == {"bad_credentials", "locked"}
    assert {reply.header("retry-after") is not None for reply in hammer.replies if reply.status == 429} == {True}


def test_others_at_the_same_address_notice_nothing(server: Server, admin: Api, user: User) -> None:
    other = admin.create_user("neighbour")
    with Hammer(server, user.name).going_on(), ThreadPoolExecutor(4) as crowd:
        replies = list(crowd.map(lambda _: login(server, other.name, other.password), range(LOGINS)))
        wrong = login(server, other.name, "wrong")
    assert {reply.status for reply in replies} == {200}
    assert wrong.reason == "bad_credentials"


def test_wrong_ones_are_slowed_down(server: Server, user: User) -> None:
    started = time.monotonic()
    for number in range(7):
        assert login(server, user.name, f"wrong-{number}").status == 401
    assert time.monotonic() - started > 0.2 + 0.4 + 0.8 + 1.6
