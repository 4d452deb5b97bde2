"""What every store promises (`mooring.storage.Store`), whatever keeps the bytes."""

import asyncio
import hashlib
import random

import pytest

from mooring.errors import Foreign, TooLarge, Unavailable
from mooring.storage import ObjectBusy, ObjectMissing, OffsetMismatch, Store, new_key
from tests.storage.conftest import CLUSTER, OpenStore
from tests.storage.objects import GIB, append, broken, chunked, ignore, read

MIB = 1024 * 1024
KEY = "0123456789abcdef" * 2

pytestmark = pytest.mark.anyio


async def test_what_was_appended_is_read_back(store: Store) -> None:
    assert await append(store, KEY, 0, b"ship", b"shape") == 9
    assert await read(store, KEY) == b"shipshape"
    assert await store.size(KEY) == 9


async def test_another_replica_reads_it(open_store: OpenStore) -> None:
    await append(open_store(), KEY, 0, b"cargo")
    assert await read(open_store(), KEY) == b"cargo"


async def test_appends_continue_where_the_last_one_ended(store: Store) -> None:
    await append(store, KEY, 0, b"one ")
    await append(store, KEY, 4, b"two ")
    assert await append(store, KEY, 8, b"three") == 13
    assert await read(store, KEY) == b"one two three"


async def test_one_writer_may_append_twice(store: Store) -> None:
    async with store.writing(KEY) as writer:
        await writer.append(0, chunked(b"one "), ignore, limit=GIB)
        await writer.append(4, chunked(b"two"), ignore, limit=GIB)
    assert await read(store, KEY) == b"one two"


async def test_nothing_appended_makes_an_empty_object(store: Store) -> None:
    assert await append(store, KEY, 0) == 0
    assert await store.size(KEY) == 0
    assert await read(store, KEY) == b""


async def test_nothing_appended_changes_nothing(store: Store) -> None:
    await append(store, KEY, 0, b"cargo")
    assert await append(store, KEY, 5) == 5
    assert await read(store, KEY) == b"cargo"


async def test_large_chunks_and_small_ones_keep_their_order(store: Store) -> None:
    noise = random.Random(7)
    chunks = [noise.randbytes(size) for size in (1, MIB - 1, 3, 2 * MIB + 5, 70_000, 0, MIB)]
    await append(store, KEY, 0, *chunks)
    assert await read(store, KEY) == b"".join(chunks)


async def test_the_watch_sees_every_byte_once_and_in_order(store: Store) -> None:
    chunks = [random.Random(number).randbytes(300_000) for number in range(12)]
    seen = hashlib.sha256()
    async with store.writing(KEY) as writer:
        await writer.append(0, chunked(*chunks), seen.update, limit=GIB)
    assert seen.hexdigest() == hashlib.sha256(b"".join(chunks)).hexdigest()


async def test_what_a_broken_request_left_is_cut_off(store: Store) -> None:
    await append(store, KEY, 0, b"good ")
    with pytest.raises(ConnectionResetError):
        async with store.writing(KEY) as writer:
            await writer.append(5, broken(b"x" * 3 * MIB), ignore, limit=GIB)
    assert await append(store, KEY, 5, b"end") == 8
    assert await read(store, KEY) == b"good end"


async def test_what_a_broken_request_left_is_cut_off_by_an_append_of_nothing(store: Store) -> None:
    """So ends an upload whose last chunk broke and was given up."""
    await append(store, KEY, 0, b"good")
    with pytest.raises(ConnectionResetError):
        async with store.writing(KEY) as writer:
            await writer.append(4, broken(b"x" * 3 * MIB), ignore, limit=GIB)
    assert await append(store, KEY, 4) == 4
    assert await store.size(KEY) == 4


async def test_an_object_shorter_than_the_offset_is_told_and_left_alone(store: Store) -> None:
    await append(store, KEY, 0, b"short")
    with pytest.raises(OffsetMismatch) as mismatch:
        await append(store, KEY, 6, b"!")
    assert mismatch.value.size == 5
    assert await read(store, KEY) == b"short"


async def test_a_limit_may_be_reached(store: Store) -> None:
    await append(store, KEY, 0, b"12345", limit=10)
    assert await append(store, KEY, 5, b"678", b"90", limit=10) == 10


async def test_a_limit_may_not_be_passed(store: Store) -> None:
    await append(store, KEY, 0, b"12345", limit=10)
    with pytest.raises(TooLarge):
        await append(store, KEY, 5, b"67890", b"!", limit=10)
    assert await append(store, KEY, 5, limit=10) == 5


@pytest.mark.parametrize("open_store", ["file"], indirect=True)
async def test_a_second_writer_is_refused_on_every_replica(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    async with one.writing(KEY):
        for store in (one, other):
            with pytest.raises(ObjectBusy):
                async with store.writing(KEY):
                    pass
    assert await append(other, KEY, 0, b"free again") == 10


@pytest.mark.parametrize("open_store", ["file"], indirect=True)
async def test_a_writer_stays_alone_between_its_append_and_its_end(open_store: OpenStore) -> None:
    """In that time the append is acknowledged in the database: a second one would cut it off."""
    one, other = open_store(), open_store()
    async with one.writing(KEY) as writer:
        await writer.append(0, chunked(b"acknowledged"), ignore, limit=GIB)
        with pytest.raises(ObjectBusy):
            await append(other, KEY, 0, b"late")
    assert await read(other, KEY) == b"acknowledged"


async def test_a_writer_that_failed_makes_room(open_store: OpenStore) -> None:
    with pytest.raises(ConnectionResetError):
        async with open_store().writing(KEY) as writer:
            await writer.append(0, broken(b"x"), ignore, limit=GIB)
    assert await append(open_store(), KEY, 0, b"next") == 4


async def test_an_object_is_read_while_it_is_written(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    await append(one, KEY, 0, b"first")
    async with one.writing(KEY) as writer:
        await writer.append(5, chunked(b" second"), ignore, limit=GIB)
        assert await read(other, KEY, 0, 5) == b"first"


@pytest.mark.parametrize(
    ("start", "length"), [(0, 0), (0, 1), (5, 3), (MIB - 1, 2), (MIB, MIB), (3 * MIB, 17), (0, 3 * MIB + 17)]
)
async def test_a_range_is_read(store: Store, start: int, length: int) -> None:
    content = random.Random(3).randbytes(3 * MIB + 17)
    await append(store, KEY, 0, content)
    assert await read(store, KEY, start, length) == content[start : start + length]


async def test_an_object_shorter_than_it_should_be_is_no_quiet_end(store: Store) -> None:
    await append(store, KEY, 0, b"short")
    with pytest.raises(Unavailable):
        await read(store, KEY, 0, 6)


async def test_an_object_is_hashed_up_to_a_size(store: Store) -> None:
    content = random.Random(5).randbytes(2 * MIB + 100)
    await append(store, KEY, 0, content)
    seen = hashlib.sha256()
    await store.digest(KEY, 2 * MIB, seen.update)
    assert seen.hexdigest() == hashlib.sha256(content[: 2 * MIB]).hexdigest()


async def test_hashing_more_than_there_is_fails(store: Store) -> None:
    await append(store, KEY, 0, b"short")
    with pytest.raises(Unavailable):
        await store.digest(KEY, 6, ignore)


async def test_what_is_not_there_is_missing(store: Store) -> None:
    with pytest.raises(ObjectMissing):
        await store.size(KEY)
    with pytest.raises(ObjectMissing):
        await read(store, KEY, 0, 1)
    with pytest.raises(ObjectMissing):
        await store.digest(KEY, 1, ignore)


async def test_what_was_deleted_is_missing(store: Store) -> None:
    await append(store, KEY, 0, b"cargo")
    await store.delete([KEY])
    with pytest.raises(ObjectMissing):
        await store.size(KEY)


async def test_many_are_deleted_at_once_with_some_that_are_not_there(store: Store) -> None:
    keys = [new_key() for _ in range(30)]
    for key in keys[::2]:
        await append(store, key, 0, b"cargo")
    await store.delete(keys[1:])
    assert await store.size(keys[0]) == 5
    for key in keys[1:]:
        with pytest.raises(ObjectMissing):
            await store.size(key)
    await store.delete([])


async def test_deleting_twice_is_no_error(store: Store) -> None:
    await store.delete([KEY])
    await store.delete([KEY])


async def test_a_reader_that_began_before_a_delete_reads_to_the_end(store: Store) -> None:
    content = random.Random(9).randbytes(2 * MIB)
    await append(store, KEY, 0, content)
    reader = store.read(KEY, 0, len(content))
    first = await anext(reader)
    await store.delete([KEY])
    assert first + b"".join([chunk async for chunk in reader]) == content


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "../" * 8 + "etc/passwd", "/etc/passwd", "a" * 31, "a" * 33, "A" * 32, "a" * 32 + "\n", "\0" * 32],
)
async def test_nothing_but_a_key_is_taken_for_one(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        await append(store, key, 0, b"x")
    with pytest.raises(ValueError, match="key"):
        await store.size(key)
    with pytest.raises(ValueError, match="key"):
        await read(store, key, 0, 1)
    with pytest.raises(ValueError, match="key"):
        await store.digest(key, 1, ignore)
    with pytest.raises(ValueError, match="key"):
        await store.delete([key])


async def test_new_keys_are_keys(store: Store) -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        await store.delete([key])


async def test_many_objects_are_written_at_once(store: Store) -> None:
    keys = [new_key() for _ in range(40)]
    await asyncio.gather(*(append(store, key, 0, key.encode() * 1000) for key in keys))
    for key in keys:
        assert await read(store, key) == key.encode() * 1000


async def test_a_store_that_works_passes_its_check(store: Store) -> None:
    await store.check()


async def test_a_store_is_made_anothers_and_this_ones_again(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    await append(store, KEY, 0, b"cargo")
    await asyncio.to_thread(other.mark, "another")
    assert await asyncio.to_thread(other.marker) == "another"
    with pytest.raises(Foreign, match="belongs to another registry"):
        await store.check()
    await asyncio.to_thread(store.mark, CLUSTER)
    await store.check()
    assert await read(store, KEY) == b"cargo"


async def test_operations_are_told_with_what_they_took(store: Store) -> None:
    seen: list[tuple[str, float, bool]] = []
    store.observed_by(lambda *told: seen.append(told))
    await append(store, KEY, 0, b"cargo")
    with pytest.raises(ObjectMissing):
        await read(store, "f" * 32)
    await store.check()
    assert seen
    assert all(0 < seconds < 60 and not failed for _, seconds, failed in seen)
