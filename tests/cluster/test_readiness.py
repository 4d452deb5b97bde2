"""A replica says what is wrong with it, and judges nobody while it is."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.types import Message, Receive, Scope, Send

from mooring.cluster import readiness
from mooring.cluster.gate import OPEN, Gate
from mooring.cluster.readiness import Readiness
from mooring.errors import ConfigurationError, Unavailable


async def fine() -> None:
    return None


async def away() -> None:
    raise Unavailable("the store is away")


async def foreign() -> None:
    raise ConfigurationError("another cluster's key")


async def hangs() -> None:
    await asyncio.Event().wait()


def looked(**checks: readiness.Check) -> Readiness:
    found = Readiness(checks)
    asyncio.run(found.look())
    return found


def test_nothing_is_ready_before_it_was_looked_at() -> None:
    assert "checks" in Readiness({"a": fine}).failures()


def test_failed_checks_are_named_with_their_reason() -> None:
    assert looked(a=fine, b=away).failures() == {"b": "the store is away"}


def test_one_reason_for_two_failures_is_given_once() -> None:
    assert looked(master_key=foreign, keyring=foreign, store=away).failures() == {
        "master_key": "another cluster's key",
        "store": "the store is away",
    }


def test_a_check_with_a_fault_of_its_own_fails() -> None:
    async def faulty() -> None:
        raise ZeroDivisionError

    assert "ZeroDivisionError" in looked(a=faulty, b=fine).failures()["a"]


def test_a_check_that_hangs_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.01)
    assert "no answer" in looked(a=hangs).failures()["a"]


def test_checks_that_stopped_running_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked(a=fine)
    monkeypatch.setattr(readiness, "STALE_SECONDS", -1.0)
    assert "checks" in found.failures()


def test_what_was_mended_is_ready_again() -> None:
    broken = [True]

    async def mended() -> None:
        if broken:
            raise Unavailable("not yet")

    found = Readiness({"a": mended})
    asyncio.run(found.look())
    assert found.failures()
    broken.clear()
    asyncio.run(found.look())
    assert not found.failures()


@pytest.mark.parametrize("path", ["/service/token", "/api/v2.0/ping", "/.well-known/jwks.json"])
def test_a_foreign_replica_answers_503_instead_of_judging(path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(_pass(looked(master_key=foreign), path))
    assert caught.value.status == 503
    assert caught.value.headers["retry-after"]
    assert "master_key" in caught.value.text


@pytest.mark.parametrize("path", sorted(OPEN))
def test_a_foreign_replica_still_says_what_it_is(path: str) -> None:
    asyncio.run(_pass(looked(master_key=foreign), path))


class Challenged(Exception):
    pass


@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/"), ("HEAD", "/v2/"), ("GET", "/v2")])
def test_a_foreign_replica_still_says_where_to_log_in(method: str, path: str) -> None:
    with pytest.raises(Challenged):
        asyncio.run(_pass(looked(master_key=foreign), path, method))


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("GET", "/v2/", [(b"authorization", b"Bearer x")]), ("POST", "/v2/", []), ("GET", "/v2/a/tags/list", [])],
)
def test_a_foreign_replica_says_nothing_else(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ConfigurationError):
        asyncio.run(_pass(looked(master_key=foreign), path, method, headers))


def test_a_replica_that_is_cut_off_from_its_store_is_not_foreign() -> None:
    asyncio.run(_pass(looked(store=away), "/v2/"))


async def _pass(found: Readiness, path: str, method: str = "GET", headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        return None

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    async def first(scope: Scope, receive: Receive, send: Send) -> None:
        raise Challenged

    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    await Gate(inner, found, first)(scope, receive, send)
