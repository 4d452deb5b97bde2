"""What all tests share: a real server, and its log when a test fails."""

import itertools
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests import postgresql as postgresqls
from tests import programs
from tests import server as servers
from tests.api import Api
from tests.postgresql import PostgreSQL
from tests.server import Server

_started: list[Server] = []
_log_sizes = pytest.StashKey[dict[Path, int]]()


class StartServer(Protocol):
    def __call__(
        self, data: Path | None = None, *, workers: int = 2, environment: Mapping[str, str] | None = None
    ) -> Server: ...


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the whole run of a worker: a test makes its own project, user or repository on it."""
    running = servers.start(tmp_path_factory.mktemp("server") / "data")
    _started.append(running)
    yield running
    _started.remove(running)
    code = running.stop()
    assert code == 0, f"exited with {code}\n{running.tail()}"


@pytest.fixture(scope="session")
def admin(server: Server) -> Api:
    """The server's API as its administrator."""
    return Api(server.url, server.username, server.password)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for the whole run of a worker: a test makes its own database on it."""
    with postgresqls.running() as server:
        yield server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers of a test's own. Those still running at its end are killed."""
    numbers = itertools.count()
    mine: list[Server] = []

    def start(data: Path | None = None, *, workers: int = 2, environment: Mapping[str, str] | None = None) -> Server:
        directory = data or tmp_path / f"server-{next(numbers)}"
        running = servers.start(directory, workers=workers, environment=environment)
        mine.append(running)
        _started.append(running)
        return running

    yield start
    for running in mine:
        running.kill()
        _started.remove(running)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_log_sizes] = {running.log: running.log.stat().st_size for running in _started}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and programs.REMEDY in report.longrepr[2]:
        # one line for each missing program instead of one for each of its tests
        report.longrepr = (programs.__file__, 1, report.longrepr[2])
    if report.failed:
        seen = item.stash.get(_log_sizes, {})
        for running in _started:
            report.sections.append((f"log of {running.url}", running.tail(since=seen.get(running.log, 0))))
    return report
