"""Requests that meet: two pushes of one tag, and the requests of one upload on all workers in turn."""

import asyncio
import contextlib
import hashlib
import json
import secrets
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.server import Server

OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def index(text: str) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": {"text": text}}
    ).encode()


def connect(server: Server) -> aiohttp.ClientSession:
    """Every request takes a connection of its own, and so any worker."""
    login = aiohttp.encode_basic_auth(server.username, server.password)
    connector = aiohttp.TCPConnector(force_close=True)
    return aiohttp.ClientSession(server.url, headers={"authorization": login}, connector=connector)


async def ask(
    session: aiohttp.ClientSession, method: str, path: str, body: bytes = b"", media_type: str = ""
) -> tuple[int, dict[str, str], bytes]:
    headers = {"content-type": media_type} if media_type else {}
    async with session.request(method, path, data=body, headers=headers) as answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()


@pytest.fixture(scope="module", autouse=True)
def connections_reach_every_worker(server: Server) -> None:
    """Else the tests below would show nothing."""

    async def look() -> None:
        seen: set[str] = set()
        async with connect(server) as session, asyncio.timeout(60):
            while len(seen) < 2:
                _, _, body = await ask(session, "GET", "/readyz")
                seen.add(json.loads(body)["replica"])

    asyncio.run(look())


@pytest.mark.parametrize("pushers", [2, 8])
def test_pushes_of_one_tag_at_once_end_as_one_of_them(server: Server, pushers: int) -> None:
    async def test() -> None:
        path = f"/v2/library/race-{secrets.token_hex(4)}/manifests"
        async with connect(server) as session:
            for turn in range(15):
                bodies = [index(f"{turn}-{number}") for number in range(pushers)]
                answers = await asyncio.gather(
                    *(ask(session, "PUT", f"{path}/latest", body, OCI_INDEX) for body in bodies)
                )
                assert [status for status, _, _ in answers] == [201] * pushers
                _, headers, found = await ask(session, "GET", f"{path}/latest")
                assert found in bodies
                assert headers["docker-content-digest"] == digest_of(found)
                for body in bodies:
                    assert (await ask(session, "GET", f"{path}/{digest_of(body)}"))[2] == body

    asyncio.run(test())


def test_a_tag_is_whole_while_it_moves(server: Server) -> None:
    async def test() -> None:
        path = f"/v2/library/moving-{secrets.token_hex(4)}/manifests/latest"
        bodies = [index("one"), index("another, and longer")]
        async with connect(server) as session:
            await ask(session, "PUT", path, bodies[0], OCI_INDEX)

            async def move() -> None:
                for turn in range(40):
                    assert (await ask(session, "PUT", path, bodies[turn % 2], OCI_INDEX))[0] == 201

            moving = asyncio.create_task(move())
            seen = set()
            while not moving.done():
                status, headers, found = await ask(session, "GET", path)
                assert (status, headers["docker-content-digest"]) == (200, digest_of(found))
                seen.add(found)
            await moving
            assert seen == set(bodies)

    asyncio.run(test())


def test_a_delete_and_a_push_of_one_manifest_end_as_one_of_them(server: Server) -> None:
    async def test() -> None:
        path = f"/v2/library/undone-{secrets.token_hex(4)}/manifests"
        body = index("now you see it")
        async with connect(server) as session:
            await ask(session, "PUT", f"{path}/latest", body, OCI_INDEX)
            for _ in range(15):
                (put, _, _), (deleted, _, _) = await asyncio.gather(
                    ask(session, "PUT", f"{path}/latest", body, OCI_INDEX),
                    ask(session, "DELETE", f"{path}/{digest_of(body)}"),
                )
                assert put == 201
                assert deleted in (202, 404)
                by_tag, by_digest = [
                    (await ask(session, "GET", f"{path}/{reference}"))[0] for reference in ("latest", digest_of(body))
                ]
                assert by_tag == by_digest

    asyncio.run(test())


@pytest.mark.parametrize("sizes", [[1] * 12, [100_000, 1, 0, 900_000, 7]])
def test_an_upload_goes_over_all_workers(server: Server, sizes: list[int]) -> None:
    async def test() -> None:
        parts = [secrets.token_bytes(size) for size in sizes]
        content = b"".join(parts)
        repository = f"library/spread-{secrets.token_hex(4)}"
        async with connect(server) as session:
            _, headers, _ = await ask(session, "POST", f"/v2/{repository}/blobs/uploads/")
            sent = 0
            for part in parts:
                status, headers, _ = await ask(session, "PATCH", headers["location"], part)
                sent += len(part)
                assert (status, headers["range"]) == (202, f"0-{max(0, sent - 1)}")
                status, headers, _ = await ask(session, "GET", headers["location"])
                assert (status, headers["range"]) == (204, f"0-{max(0, sent - 1)}")
            assert (await ask(session, "PUT", f"{headers['location']}?digest={digest_of(content)}"))[0] == 201
            for _ in range(4):
                assert (await ask(session, "GET", f"/v2/{repository}/blobs/{digest_of(content)}"))[2] == content

    asyncio.run(test())


def test_many_uploads_go_over_all_workers_at_once(server: Server) -> None:
    async def push(session: aiohttp.ClientSession, number: int) -> None:
        parts = [secrets.token_bytes(50_000) for _ in range(3)]
        content = b"".join(parts)
        uploads = f"/v2/library/spread-{number % 4}/blobs/uploads/"
        _, headers, _ = await ask(session, "POST", uploads)
        for part in parts:
            status, headers, _ = await ask(session, "PATCH", headers["location"], part)
            assert status == 202
        assert (await ask(session, "PUT", f"{headers['location']}?digest={digest_of(content)}"))[0] == 201

    async def test() -> None:
        async with connect(server) as session:
            await asyncio.gather(*(push(session, number) for number in range(40)))

    asyncio.run(test())


def test_an_upload_is_cancelled_on_every_worker(server: Server) -> None:
    async def test() -> None:
        async with connect(server) as session:
            _, headers, _ = await ask(session, "POST", "/v2/library/cancelled/blobs/uploads/")
            location = headers["location"]
            await ask(session, "PATCH", location, b"some bytes")
            assert (await ask(session, "DELETE", location))[0] == 204
            for method in ("GET", "PATCH", "DELETE") * 3:
                assert (await ask(session, method, location))[0] == 404

    asyncio.run(test())


def test_what_breaks_off_can_be_gone_on_with_on_any_worker(server: Server) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 200_000
        raise ConnectionResetError

    async def test() -> None:
        async with connect(server) as session:
            _, headers, _ = await ask(session, "POST", "/v2/library/broken/blobs/uploads/")
            location = headers["location"]
            await ask(session, "PATCH", location, b"good ")
            for _ in range(6):
                with contextlib.suppress(aiohttp.ClientError, ConnectionResetError):
                    await session.patch(location, data=broken())
            while (status := (await ask(session, "PATCH", location, b"end"))[0]) == 503:
                await asyncio.sleep(0.02)  # the lost connection has not been noticed yet
            assert status == 202
            assert (await ask(session, "PUT", f"{location}?digest={digest_of(b'good end')}"))[0] == 201

    asyncio.run(test())
