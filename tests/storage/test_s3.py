"""What only a bucket does: parts, tails, requests that write at once, addresses."""

import random
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest

from mooring.errors import ConfigurationError, Unavailable
from mooring.storage.s3 import S3Store
from mooring.storage.s3_client import Bucket, parse_bucket
from mooring.storage.s3_state import LARGEST_PART, MOST_PARTS, part_size
from mooring.storage.store import OffsetMismatch
from tests.s3 import S3
from tests.storage.acknowledged import Rows
from tests.storage.objects import GIB, broken, chunked, ignore

MIB = 1024 * 1024
KEY = "0123456789abcdef" * 2

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["swift", "versitygw"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> S3:
    found: S3 = request.getfixturevalue(request.param)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
async def store(server: S3) -> AsyncIterator[S3Store]:
    opened = S3Store(parse_bucket(server.url(server.create())))
    opened.prepare("cluster")
    yield opened
    await opened.disconnect()


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


async def append(store: S3Store, rows: Rows, content: bytes, state: str, offset: int) -> str:
    """What the registry would acknowledge; the rows themselves are left as they are."""
    async with store.writing(KEY) as writer:
        writer.resume(state, rows.reserving(KEY, rows.states.get(KEY, "")))
        assert await writer.append(offset, chunked(content), ignore, limit=GIB) == offset + len(content)
        return writer.state


async def finished(store: S3Store, rows: Rows, state: str) -> bytes:
    async with store.writing(KEY) as writer:
        writer.resume(state, rows.reserving(KEY, rows.states.get(KEY, "")))
        name = await writer.finish()
    size = await store.size(name)
    return b"".join([chunk async for chunk in store.read(name, 0, size)])


async def uploads_of(store: S3Store) -> int:
    client = await store.client()
    return len((await client.list_multipart_uploads(Bucket=store.bucket.name)).get("Uploads", []))


@pytest.mark.parametrize("winner", [0, 1])
async def test_whoever_is_acknowledged_is_whole(store: S3Store, winner: int) -> None:
    """Two requests continue one upload at once, and each sends parts after the other did."""
    rows, begun = Rows(), noise(1, 9 * MIB)
    start = await append(store, rows, begun, "", 0)
    rivals = [noise(2, 17 * MIB), noise(3, 18 * MIB)]
    states = [await append(store, rows, rival, start, len(begun)) for rival in rivals]
    assert await finished(store, rows, states[winner]) == begun + rivals[winner]


async def test_an_end_whose_answer_was_lost_is_asked_for_again(store: S3Store) -> None:
    rows, content = Rows(), noise(4, 9 * MIB)
    state = await append(store, rows, content, "", 0)
    assert await finished(store, rows, state) == content
    assert await finished(store, rows, state) == content


async def test_a_large_object_of_many_requests(store: S3Store) -> None:
    rows, state, whole = Rows(), "", b""
    for seed, size in enumerate((3 * MIB, 6 * MIB, 100, 20 * MIB, 1, 5 * MIB)):
        content = noise(seed, size)
        state = await append(store, rows, content, state, len(whole))
        whole += content
    assert await finished(store, rows, state) == whole


async def test_a_broken_request_leaves_no_parts_behind(store: S3Store) -> None:
    with pytest.raises(ConnectionResetError):
        async with store.writing(KEY) as writer:
            await writer.append(0, broken(noise(5, 20 * MIB)), ignore, limit=GIB)
    assert await uploads_of(store) == 0
    assert list(store.keys()) == []


async def test_the_end_of_an_upload_takes_all_that_it_left(store: S3Store) -> None:
    rows = Rows()
    await append(store, rows, noise(6, 3 * MIB), await append(store, rows, noise(7, MIB), "", 0), MIB)
    await append(store, rows, noise(8, 20 * MIB), "", 0)
    assert await uploads_of(store) == 1
    await store.delete([KEY])
    assert await uploads_of(store) == 0
    assert list(store.keys()) == []


async def test_what_a_dead_request_began_is_found_and_thrown_away(store: S3Store) -> None:
    """And nothing of the object that its upload became after all, nor what others keep in the bucket."""
    client, rows = await store.client(), Rows()
    await append(store, rows, noise(6, 20 * MIB), "", 0)
    (dead,) = await store.begun()
    for name in ("theirs", f"sub/{KEY[:2]}/{KEY}", f"ff/{KEY}"):
        await client.create_multipart_upload(Bucket=store.bucket.name, Key=store.bucket.prefix + name)
    state, content = await append(store, rows, noise(7, 20 * MIB), "", 0), noise(7, 20 * MIB)
    assert [each.key for each in await store.begun()] == [KEY, KEY]
    whole = await finished(store, rows, state)
    assert await store.begun() == [dead]
    await store.abandon(dead)
    await store.abandon(dead)
    assert await store.begun() == []
    assert whole == content == await finished(store, rows, state)
    assert await uploads_of(store) == 3


async def test_a_small_blob_is_one_object_and_no_multipart_upload(store: S3Store) -> None:
    rows = Rows()
    state = await append(store, rows, b"small", "", 0)
    assert len(list(store.keys())) == 1
    assert await uploads_of(store) == 0
    assert await finished(store, rows, state) == b"small"
    assert len(list(store.keys())) == 1


async def test_another_offset_than_what_is_acknowledged_is_told(store: S3Store) -> None:
    rows = Rows()
    state = await append(store, rows, b"four", "", 0)
    async with store.writing(KEY) as writer:
        writer.resume(state, rows.reserving(KEY, ""))
        with pytest.raises(OffsetMismatch):
            await writer.append(3, chunked(b"x"), ignore, limit=GIB)


async def test_another_cluster_s_bucket_is_refused(store: S3Store) -> None:
    stranger = S3Store(store.bucket, "another")
    with pytest.raises(ConfigurationError, match="belongs to another registry"):
        await stranger.check()
    with pytest.raises(ConfigurationError, match="belongs to another registry"):
        stranger.prepare("another")
    await stranger.disconnect()


async def test_what_is_wrong_with_the_bucket_is_said(server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = S3Store(parse_bucket(server.url("no-such-bucket-here")), "cluster")
    with pytest.raises((Unavailable, ConfigurationError), match=r"does not exist|has no marker"):
        await absent.check()
    await absent.disconnect()
    bucket = parse_bucket(server.url(server.create()))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    refused = S3Store(bucket, "cluster")
    with pytest.raises(Unavailable, match="refuses the credentials"):
        await refused.check()
    await refused.disconnect()
    away = S3Store(Bucket(bucket.name, endpoint="http://127.0.0.1:9", region="us-east-1"), "cluster")
    failures: list[tuple[str, bool]] = []
    away.observed_by(lambda operation, _seconds, failed: failures.append((operation, failed)))
    with pytest.raises(Unavailable):
        await away.check()
    assert set(failures) == {("GetObject", True)}
    await away.disconnect()


async def test_an_address_is_read() -> None:
    url = "s3://bucket/some/place?endpoint=http://127.0.0.1:8085&region=eu-north-1"
    assert parse_bucket(url) == Bucket("bucket", "some/place/", "http://127.0.0.1:8085", "eu-north-1", "path")
    assert parse_bucket("s3://bucket") == Bucket("bucket")


@pytest.mark.parametrize("url", ["s3:///prefix", "s3://a:b@bucket", "s3://bucket?endpont=x", "s3://bucket?style=odd"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MOORING_STORE must be"):
        parse_bucket(url)


async def test_ten_thousand_parts_are_enough_and_none_fills_the_memory() -> None:
    sizes = [part_size(number) for number in range(1, MOST_PARTS + 1)]
    assert max(sizes) == LARGEST_PART
    assert sum(sizes) > 400 * GIB


@pytest.mark.parametrize("hours", [-2, 2, 24])
async def test_machine_whose_clock_is_wrong_keeps_its_store(
    server: S3, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store refuses what was signed by the time of such a clock; it is told the store's own."""
    bucket, wrong = server.create(), datetime.now(UTC) + timedelta(hours=hours)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: wrong)
    monkeypatch.setattr("mooring.storage.s3_time.datetime", Mock(wraps=datetime, now=lambda _zone: wrong))
    opened = S3Store(parse_bucket(server.url(bucket)), redirect=True)
    opened.prepare("cluster")
    try:
        await opened.check()
        await opened.put(KEY, b"bytes")
        assert await opened.size(KEY) == 5
        address = await opened.address(KEY)
        assert address is not None
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=30) as answer:
            assert answer.read() == b"bytes"
    finally:
        await opened.disconnect()
