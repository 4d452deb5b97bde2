"""Every implementation of the store: a new one is added here, and nowhere else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mooring.storage import Store
from mooring.storage.filesystem import FileStore

CLUSTER = "6a0b6a5e-1b1e-4c0e-9a57-9c1f0a3f9d10"

OpenStore = Callable[[], Store]
"""Opens the same place once more, as another replica does."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["file"])
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


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
