"""Every implementation of the store: a new one is added here, and nowhere else."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from mooring.storage import Store
from mooring.storage.filesystem import FileStore
from mooring.storage.s3 import S3Store
from mooring.storage.s3_client import parse_bucket
from tests import s3
from tests.s3 import S3
from tests.storage.acknowledged import Acknowledged, Rows

CLUSTER = "6a0b6a5e-1b1e-4c0e-9a57-9c1f0a3f9d10"

OpenStore = Callable[[], Store]
"""Opens the same place once more, as another replica does."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["file", "swift", "versitygw"])
def open_store(request: pytest.FixtureRequest) -> OpenStore:
    made: OpenStore = request.getfixturevalue(f"open_{request.param}_store")
    return made


@pytest.fixture
def open_file_store(tmp_path: Path) -> Iterator[OpenStore]:
    stores: list[FileStore] = []

    def opened() -> FileStore:
        store = FileStore(tmp_path / "objects")
        store.prepare(CLUSTER)
        stores.append(store)
        return store

    yield opened
    for store in stores:
        store.close()


@pytest.fixture(scope="session")
def swift() -> Iterator[S3]:
    with s3.swift() as server:
        yield server


@pytest.fixture(scope="session")
def versitygw() -> Iterator[S3]:
    with s3.versitygw() as server:
        yield server


@pytest.fixture
def open_swift_store(swift: S3, connections: list[S3Store], monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    return _opener(swift, connections, monkeypatch)


@pytest.fixture
def open_versitygw_store(versitygw: S3, connections: list[S3Store], monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    return _opener(versitygw, connections, monkeypatch)


def _opener(server: S3, connections: list[S3Store], monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    """A bucket of a test's own."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket, rows = parse_bucket(server.url(server.create())), Rows()
    prepared = S3Store(bucket)
    prepared.prepare(CLUSTER)

    def opened() -> Acknowledged:
        connections.append(S3Store(bucket, CLUSTER))
        return Acknowledged(connections[-1], rows)

    return opened


@pytest.fixture
async def connections(anyio_backend: str) -> AsyncIterator[list[S3Store]]:
    """Connections end with the event loop that they belong to."""
    stores: list[S3Store] = []
    yield stores
    for store in stores:
        await store.disconnect()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
