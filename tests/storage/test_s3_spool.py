"""Where parts wait for a bucket: in files, whatever disk there is, and in memory only where there is none."""

import asyncio
import hashlib
import os
import resource
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.errors import StorageFull
from mooring.storage.s3 import S3Store
from mooring.storage.s3_client import parse_bucket
from mooring.storage.s3_spool import ROOM, Part, Spool
from mooring.storage.s3_state import LEAST_PART, PART
from mooring.storage.store import new_key
from tests.disks import read_only, small_disk
from tests.s3 import S3
from tests.storage.acknowledged import Acknowledged, Rows
from tests.storage.objects import GIB, append, broken, chunked, ignore, read

MIB = 1024 * 1024
KEY = "0123456789abcdef" * 2

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(versitygw: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Store]:
    for name, value in versitygw.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "spool").mkdir()
    opened = S3Store(parse_bucket(versitygw.url(versitygw.create())), directory=tmp_path / "spool")
    opened.prepare("cluster")
    yield opened
    await opened.disconnect()


@contextmanager
def counted() -> Iterator[list[Part]]:
    """The parts that have been filled since."""
    made: list[Part] = []
    fill = Part.add

    def add(part: Part, content: bytes) -> None:
        made.extend([] if part in made else [part])
        fill(part, content)

    with patch.object(Part, "add", add):
        yield made


def spooled() -> int:
    """Open files of this process that have no name: parts, and nothing else here."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            target = str(each.readlink())
        except FileNotFoundError:
            continue
        found += target.endswith(" (deleted)") and ("/spool/" in target or "memfd:part" in target)
    return found


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_every_byte_is_kept_over_all_borders(store: S3Store, data: st.DataObject) -> None:
    sizes = st.one_of(st.integers(0, 3 * MIB), st.sampled_from([LEAST_PART, PART]).map(lambda size: size + border))
    border = data.draw(st.integers(-1, 1))
    key, whole, kept = new_key(), b"", Acknowledged(store, Rows())
    seen = hashlib.sha256()
    for sent in data.draw(st.lists(st.lists(sizes, max_size=3), min_size=1, max_size=3)):
        chunks = [os.urandom(size) for size in sent]
        async with kept.writing(key) as writer:
            await writer.append(len(whole), chunked(*chunks), seen.update, limit=GIB)
        whole += b"".join(chunks)
    assert await read(kept, key) == whole
    assert seen.digest() == hashlib.sha256(whole).digest()
    assert spooled() == 0


async def test_many_uploads_hold_no_parts_in_memory(store: S3Store) -> None:
    """Each is stopped with a part half filled, and one that was full on its way."""
    stop, size, many = asyncio.Event(), PART + 4 * MIB, 40
    noise = os.urandom(MIB)

    async def body() -> AsyncIterator[bytes]:
        for at in range(0, size, 64 * 1024):
            yield noise[at % MIB :][: 64 * 1024]
        await stop.wait()

    async def upload() -> None:
        async with store.writing(new_key()) as writer:
            await writer.append(0, body(), ignore, limit=GIB)

    with counted() as parts:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = [group.create_task(upload()) for _ in range(many)]
            while sum(map(len, parts)) < many * (size - store.spool.piece()):
                await asyncio.sleep(0.05)
            assert many * store.spool.piece() <= ROOM
            assert not any(part.in_memory for part in parts)
            assert spooled() <= 2 * many
            for each in running[::2]:
                each.cancel()
            stop.set()
        assert spooled() == 0
    assert store.spool.piece() == MIB


async def test_a_client_that_breaks_off_leaves_no_file_open(store: S3Store) -> None:
    for size in (1, 3 * MIB, PART, 3 * PART + 5):
        with pytest.raises(ConnectionResetError):
            async with store.writing(KEY) as writer:
                await writer.append(0, broken(os.urandom(size)), ignore, limit=GIB)
        assert spooled() == 0
    assert list(store.keys()) == []


async def test_a_full_disk_refuses_the_upload_and_loses_nothing_of_it(store: S3Store, tmp_path: Path) -> None:
    kept, content = Acknowledged(store, Rows()), os.urandom(7 * MIB)
    await append(kept, KEY, 0, content[: 2 * MIB])
    with small_disk(tmp_path / "spool", 3 * MIB):
        with pytest.raises(StorageFull):
            await append(kept, KEY, 2 * MIB, content[2 * MIB :])
        assert spooled() == 0
        await append(kept, KEY, 2 * MIB, content[2 * MIB : 2 * MIB + 9])
    await append(kept, KEY, 2 * MIB + 9, content[2 * MIB + 9 :])
    assert await read(kept, KEY) == content


async def test_without_any_place_for_files_one_part_is_filled_and_one_sent(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    content = os.urandom(4 * PART + 3)
    most = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal most
        for at in range(0, len(content), MIB):
            yield content[at : at + MIB]
            most = max(most, spooled())

    with read_only(tmp_path / "spool"), counted() as parts:
        async with store.writing(KEY) as writer:
            await writer.append(0, body(), ignore, limit=GIB, last=True)
            name = await writer.finish()
        assert all(part.in_memory for part in parts)
    assert b"".join([chunk async for chunk in store.read(name, 0, len(content))]) == content
    assert 1 <= most <= 2
    assert spooled() == 0


async def test_a_directory_that_is_not_there_yet_is_done_without(tmp_path: Path) -> None:
    file, in_memory = Spool(tmp_path / "absent").open()
    assert not in_memory
    file.close()
    assert not (tmp_path / "absent").exists()


async def test_a_process_without_descriptors_left_says_so_and_goes_on(store: S3Store) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    part = Part(store.spool)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        with pytest.raises(OSError, match="Too many open files"):
            part.add(b"bytes")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    part.add(b"bytes")
    assert [chunk async for chunk in part] == [part.read()] == [b"bytes"]
    part.close()
    part.seek(0)
    with pytest.raises(OSError, match="not there any more"):
        part.read()


async def test_a_part_is_signed_by_the_hash_it_was_given_while_it_came_in(store: S3Store) -> None:
    """Whoever reads it again for that holds up everybody else."""
    with patch.object(Part, "read", side_effect=AssertionError):
        await append(Acknowledged(store, Rows()), KEY, 0, os.urandom(PART + 100_000))
    part = Part(store.spool)
    part.add(b"one")
    part.add(b"two")
    assert part.sha256 == hashlib.sha256(b"onetwo").hexdigest()
    part.close()
