"""Requests for one upload at the same time: whatever a client or a proxy sends twice, no byte changes under a digest.

A body that is held open keeps its request between finding the upload and acknowledging what it wrote.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from starlette.types import Message

from mooring.errors import ClientGone
from mooring.registry.tables import blobs, object_removals, uploads
from mooring.storage import Writer
from tests.http.site import ADMIN_PASSWORD, HOST, Reply, Site, basic

ADMIN = basic("admin", ADMIN_PASSWORD)
UPLOADS = "/v2/library/races/blobs/uploads/"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Held:
    """A request whose body arrives when the test says so."""

    def __init__(self, site: Site, method: str, path: str) -> None:
        self._site = site
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._asked = asyncio.Event()
        self._task = asyncio.create_task(self._run(method, path))

    async def reading(self) -> None:
        """Wait until it asks for its body, or is done."""
        waiting = asyncio.create_task(self._asked.wait())
        await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED, timeout=10)
        waiting.cancel()

    def send(self, part: bytes) -> None:
        self._parts.put_nowait(part)

    async def end(self) -> Reply:
        self._parts.put_nowait(b"")
        return await asyncio.wait_for(self._task, 10)

    async def vanish(self) -> None:
        """Close the connection with the body half sent."""
        self._parts.put_nowait(None)
        await asyncio.wait_for(self._task, 10)

    async def _run(self, method: str, path: str) -> Reply:
        path, _, query = path.partition("?")
        sent: list[Message] = []

        async def receive() -> Message:
            self._asked.set()
            part = await self._parts.get()
            if part is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": part, "more_body": bool(part)}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", HOST.encode()), (ADMIN[0].encode(), ADMIN[1].encode())],
            "client": ("192.0.2.1", 40000),
        }
        await self._site.application(scope, receive, send)
        if not sent:
            return Reply(ClientGone.status, [], b"")
        headers = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        return Reply(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


async def begin(site: Site) -> str:
    reply = await site.asking("POST", UPLOADS, [ADMIN])
    assert reply.status == 202
    location = reply.header("location")
    assert location
    return location


async def fetch(site: Site, digest: str) -> Reply:
    return await site.asking("GET", f"/v2/library/races/blobs/{digest}", [ADMIN])


@pytest.fixture
def good() -> bytes:
    return secrets.token_bytes(1000)


@pytest.fixture
def evil() -> bytes:
    return secrets.token_bytes(1000)


def test_a_late_patch_does_not_change_the_finished_blob(site: Site, good: bytes, evil: bytes) -> None:
    async def test() -> None:
        location = await begin(site)
        late = Held(site, "PATCH", location)
        await late.reading()
        finished = await site.asking("PUT", f"{location}?digest={digest_of(good)}", [ADMIN], good)
        late.send(evil)
        reply = await late.end()
        if finished.status == 201:
            assert reply.status == 404
            assert (await fetch(site, digest_of(good))).body == good
        else:
            assert (finished.status, reply.status) == (503, 202)
            assert (await fetch(site, digest_of(good))).status == 404

    site.run(test())


def test_two_patches_at_once_are_not_mixed(site: Site, good: bytes, evil: bytes) -> None:
    async def test() -> None:
        location = await begin(site)
        first, second = Held(site, "PATCH", location), Held(site, "PATCH", location)
        await first.reading()
        await second.reading()
        first.send(good)
        second.send(evil)
        replies = [await first.end(), await second.end()]
        assert sorted(reply.status for reply in replies) == [202, 503]
        kept = good if replies[0].status == 202 else evil
        assert (await site.asking("PUT", f"{location}?digest={digest_of(kept)}", [ADMIN])).status == 201
        assert (await fetch(site, digest_of(kept))).body == kept

    site.run(test())


def test_a_patch_that_was_waiting_to_be_acknowledged_is_not_overwritten(
    site: Site, good: bytes, evil: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest is taken of the first one's bytes, so the second one's must not be in the file."""

    async def test() -> None:
        location = await begin(site)
        write, seconds = site.parts.database.write, list[Reply]()

        async def write_after_another_patch(*arguments: Any) -> Any:
            monkeypatch.undo()
            seconds.append(await site.asking("PATCH", location, [ADMIN], evil))
            return await write(*arguments)

        monkeypatch.setattr(site.parts.database, "write", write_after_another_patch)
        assert (await site.asking("PATCH", location, [ADMIN], good)).status == 202
        assert seconds[0].status == 503
        assert (await site.asking("PUT", f"{location}?digest={digest_of(good)}", [ADMIN])).status == 201
        assert (await fetch(site, digest_of(good))).body == good

    site.run(test())


def test_a_patch_that_found_the_upload_just_before_it_ended_does_not_change_the_blob(
    site: Site, good: bytes, evil: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        location = await begin(site)
        writing = site.parts.store.writing

        @asynccontextmanager
        async def writing_too_late(key: str) -> AsyncIterator[Writer]:
            monkeypatch.undo()
            ended = await site.asking("PUT", f"{location}?digest={digest_of(good)}", [ADMIN], good)
            assert ended.status == 201
            async with writing(key) as writer:
                yield writer

        monkeypatch.setattr(site.parts.store, "writing", writing_too_late)
        assert (await site.asking("PATCH", location, [ADMIN], evil)).status == 404
        assert (await fetch(site, digest_of(good))).body == good

    site.run(test())


def test_two_ends_of_one_upload_make_one_blob(site: Site, good: bytes) -> None:
    async def test() -> None:
        location = await begin(site)
        ends = [Held(site, "PUT", f"{location}?digest={digest_of(good)}") for _ in range(2)]
        for end in ends:
            await end.reading()
            end.send(good)
        statuses = {(await end.end()).status for end in ends}
        assert 201 in statuses <= {201, 503}
        assert (await fetch(site, digest_of(good))).body == good

    site.run(test())


def test_what_a_broken_chunk_left_is_not_part_of_the_blob(site: Site, good: bytes, evil: bytes) -> None:
    async def test() -> None:
        location = await begin(site)
        assert (await site.asking("PATCH", location, [ADMIN], good)).status == 202
        broken = Held(site, "PATCH", location)
        await broken.reading()
        broken.send(evil * 3000)
        await broken.vanish()
        assert (await site.asking("PUT", f"{location}?digest={digest_of(good)}", [ADMIN])).status == 201
        assert (await fetch(site, digest_of(good))).body == good

    site.run(test())


def test_an_upload_goes_on_after_a_broken_chunk(site: Site, good: bytes, evil: bytes) -> None:
    async def test() -> None:
        location = await begin(site)
        broken = Held(site, "PATCH", location)
        await broken.reading()
        broken.send(evil * 3000)
        await broken.vanish()
        progress = await site.asking("GET", location, [ADMIN])
        assert (progress.status, progress.header("range")) == (204, "0-0")
        assert (await site.asking("PATCH", location, [ADMIN], good)).status == 202
        assert (await site.asking("PUT", f"{location}?digest={digest_of(good)}", [ADMIN])).status == 201
        assert (await fetch(site, digest_of(good))).body == good

    site.run(test())


def test_an_upload_is_cancelled_under_a_running_chunk(site: Site, good: bytes) -> None:
    async def test() -> None:
        location = await begin(site)
        running = Held(site, "PATCH", location)
        await running.reading()
        assert (await site.asking("DELETE", location, [ADMIN])).status == 204
        running.send(good)
        assert (await running.end()).status == 404
        assert (await site.asking("GET", location, [ADMIN])).status == 404

    site.run(test())


def test_a_push_in_one_request_that_fails_leaves_no_upload(site: Site, good: bytes, evil: bytes) -> None:
    """Nobody was told its name, so nobody can go on with it or cancel it."""

    async def test() -> None:
        wrong = await site.asking("POST", f"{UPLOADS}?digest={digest_of(good)}", [ADMIN], evil)
        assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
        gone = Held(site, "POST", f"{UPLOADS}?digest={digest_of(good)}")
        await gone.reading()
        gone.send(good)
        await gone.vanish()

    before = site.read(_uploads), site.read(_removals)
    site.run(test())
    assert site.read(_uploads) == before[0]
    assert site.read(_removals) == before[1] + 2


def test_the_same_content_pushed_twice_at_once_is_stored_once(site: Site, good: bytes) -> None:
    async def test() -> None:
        pushes = [Held(site, "POST", f"{UPLOADS}?digest={digest_of(good)}") for _ in range(5)]
        for push in pushes:
            await push.reading()
            push.send(good)
        assert [(await push.end()).status for push in pushes] == [201] * 5
        assert (await fetch(site, digest_of(good))).body == good

    site.run(test())
    assert len(site.read(_keys, digest_of(good))) == 1


def _keys(connection: Connection, digest: str) -> list[str]:
    return list(connection.scalars(select(blobs.c.object_key).where(blobs.c.digest == digest)))


def _uploads(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(uploads)).scalar_one()


def _removals(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(object_removals)).scalar_one()
