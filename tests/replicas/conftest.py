from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgresql import PostgreSQL
from tests.replicas.crew import Crew, gathered


@pytest.fixture
def crew(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Crew]:
    with gathered(tmp_path, postgresql) as made:
        yield made
