"""What only files do: locks, syncs, full and locked disks, markers."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.errors import ConfigurationError, StorageFull, StorageReadOnly
from mooring.storage import files, filesystem
from mooring.storage.filesystem import MARKER, FileStore
from tests.disks import fill, read_only, small_disk
from tests.storage.conftest import CLUSTER
from tests.storage.objects import GIB, append, broken, chunked, ignore, read

MIB = 1024 * 1024
KEY = "0123456789abcdef" * 2

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    store = FileStore(tmp_path / "objects")
    store.prepare(CLUSTER)
    yield store
    store.close()


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Iterator[FileStore]:
    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        store = FileStore(disk / "objects")
        store.prepare(CLUSTER)
        yield store
        store.close()


class Journal:
    """What was written and synced, in order, by the names of the files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[tuple[str, str]] = []
        for name in ("pwrite", "ftruncate", "fsync"):
            monkeypatch.setattr(os, name, self._noting(name))

    def _noting(self, name: str):  # type: ignore[no-untyped-def]
        call = getattr(os, name)

        def noted(descriptor: int, *arguments: object) -> object:
            result = call(descriptor, *arguments)
            self.lines.append((name, Path(f"/proc/self/fd/{descriptor}").readlink().name))
            return result

        return noted


@pytest.fixture
def journal(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> Journal:
    return Journal(monkeypatch)


async def test_a_first_append_syncs_the_file_and_then_its_folder(store: FileStore, journal: Journal) -> None:
    await append(store, KEY, 0, b"cargo")
    assert journal.lines == [("pwrite", KEY), ("fsync", KEY), ("fsync", KEY[:2])]


async def test_a_later_append_syncs_the_file(store: FileStore, journal: Journal) -> None:
    await append(store, KEY, 0, b"cargo")
    journal.lines.clear()
    await append(store, KEY, 5, b"more", b" cargo")
    assert journal.lines == [("pwrite", KEY), ("pwrite", KEY), ("fsync", KEY)]


async def test_the_folder_is_synced_although_a_broken_request_made_the_file(store: FileStore, journal: Journal) -> None:
    with pytest.raises(ConnectionResetError):
        async with store.writing(KEY) as writer:
            await writer.append(0, broken(b"x"), ignore, limit=GIB)
    await append(store, KEY, 0, b"cargo")
    assert journal.lines[-2:] == [("fsync", KEY), ("fsync", KEY[:2])]


async def test_cutting_off_is_synced(store: FileStore, journal: Journal) -> None:
    await append(store, KEY, 0, b"cargo and rubbish")
    journal.lines.clear()
    await append(store, KEY, 5)
    assert journal.lines == [("ftruncate", KEY), ("fsync", KEY)]


async def test_an_append_that_changes_nothing_waits_for_no_disk(store: FileStore, journal: Journal) -> None:
    await append(store, KEY, 0, b"cargo")
    journal.lines.clear()
    await append(store, KEY, 5)
    assert journal.lines == []


async def test_a_cancelled_append_keeps_its_file_until_its_thread_has_done(store: FileStore) -> None:
    """Else the thread would write into whatever file gets the same descriptor next."""
    writing, go_on = threading.Event(), threading.Event()

    def slow(_chunk: bytes) -> None:
        writing.set()
        go_on.wait(10)

    async def task() -> None:
        async with store.writing(KEY) as writer:
            await writer.append(0, chunked(b"x" * MIB, b"y"), slow, limit=GIB)

    running = asyncio.create_task(task())
    while not writing.is_set():
        await asyncio.sleep(0.001)
    running.cancel()
    for _ in range(5):
        await asyncio.sleep(0.001)
    assert not running.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await append(store, KEY, 0, b"free") == 4


async def test_a_killed_process_leaves_no_lock(store: FileStore) -> None:
    holds = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from mooring.storage.filesystem import FileStore\n"
        "async def hold():\n"
        "    async with FileStore(Path(sys.argv[1])).writing(sys.argv[2]):\n"
        "        print('held', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(hold())\n"
    )
    command = [sys.executable, "-c", holds, str(store.directory), KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.send_signal(signal.SIGKILL)
    assert await append(store, KEY, 0, b"free") == 4


async def test_a_full_disk_is_told_and_loses_nothing(on_small_disk: FileStore) -> None:
    await append(on_small_disk, KEY, 0, b"kept")
    with pytest.raises(StorageFull):
        await append(on_small_disk, KEY, 4, b"x" * 9 * MIB)
    assert await read(on_small_disk, KEY) == b"kept"


async def test_what_did_not_fit_takes_no_space(on_small_disk: FileStore) -> None:
    with pytest.raises(StorageFull):
        await append(on_small_disk, KEY, 0, *[b"x" * MIB] * 9)
    assert await append(on_small_disk, "f" * 32, 0, b"y" * 4 * MIB) == 4 * MIB


async def test_a_full_disk_takes_more_once_there_is_room(on_small_disk: FileStore) -> None:
    ballast = fill(on_small_disk.directory)
    with pytest.raises(StorageFull):
        await append(on_small_disk, KEY, 0, b"cargo" * 10_000)
    ballast.unlink()
    assert await append(on_small_disk, KEY, 0, b"cargo") == 5


async def test_a_disk_with_no_room_for_one_more_file_is_full(on_small_disk: FileStore, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,nr_inodes=300", str(tmp_path / "disk")], check=True)
    with pytest.raises(StorageFull):
        await asyncio.gather(*(append(on_small_disk, f"{number:032x}", 0, b"x") for number in range(300)))


async def test_a_read_only_disk_is_told(store: FileStore) -> None:
    await append(store, KEY, 0, b"kept")
    with read_only(store.directory):
        with pytest.raises(StorageReadOnly):
            await append(store, KEY, 4, b"more")
        with pytest.raises(StorageReadOnly):
            await append(store, "f" * 32, 0, b"new")
        with pytest.raises(StorageReadOnly):
            await store.delete([KEY])
        with pytest.raises(StorageReadOnly):
            await store.check()
        assert await read(store, KEY) == b"kept"


async def test_a_store_without_its_marker_fails_its_check(store: FileStore) -> None:
    (store.directory / MARKER).unlink()
    with pytest.raises(ConfigurationError, match="no marker"):
        await store.check()


async def test_a_store_with_anothers_marker_fails_its_check(store: FileStore) -> None:
    (store.directory / MARKER).write_text("another\n")
    with pytest.raises(ConfigurationError, match="another registry"):
        await store.check()


def test_anothers_store_is_not_taken(store: FileStore) -> None:
    with pytest.raises(ConfigurationError, match="another registry"):
        FileStore(store.directory).prepare("another")
    assert (store.directory / MARKER).read_text().strip() == CLUSTER


def test_preparing_twice_changes_nothing(store: FileStore) -> None:
    FileStore(store.directory).prepare(CLUSTER)
    assert (store.directory / MARKER).read_text().strip() == CLUSTER


def test_a_marker_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while writing it, the store would be nobody's for ever."""

    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        FileStore(tmp_path).prepare(CLUSTER)
    assert not (tmp_path / MARKER).exists()
    monkeypatch.undo()
    FileStore(tmp_path).prepare(CLUSTER)


async def test_keys_lists_every_object_and_nothing_else(store: FileStore) -> None:
    await append(store, KEY, 0)
    await append(store, "f" * 32, 0)
    (store.directory / "ff" / "notes.txt").write_text("not an object")
    assert sorted(store.keys()) == [KEY, "f" * 32]


async def test_what_is_not_cached_is_read_by_a_thread(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(MIB + 17)
    await append(store, KEY, 0, content)
    path = store.directory / KEY[:2] / KEY
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    threads: list[str] = []
    fetch = files.fetch

    def noting(descriptor: int, size: int, position: int) -> bytes:
        threads.append(threading.current_thread().name)
        return fetch(descriptor, size, position)

    monkeypatch.setattr(filesystem, "fetch", noting)
    assert await read(store, KEY, 0, len(content)) == content
    assert threads
    assert all(name.startswith("store") for name in threads)
