"""What all tests share: a real server, and its log when a test fails."""

import itertools
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests import postgresql as postgresqls
from tests import programs, s3
from tests import server as servers
from tests.api import Api
from tests.databases import open_empty, open_postgresql, open_sqlite
from tests.postgresql import PostgreSQL
from tests.replicas import cluster as clusters
from tests.replicas.cluster import Cluster
from tests.server import Registry, Server, tail

__all__ = ["open_empty", "open_postgresql", "open_sqlite"]

REPLICAS = 3
_logs: dict[str, Path] = {}
"""Of all that runs, by its name."""
_log_sizes = pytest.StashKey[dict[Path, int]]()


class StartServer(Protocol):
    def __call__(
        self, data: Path | None = None, *, workers: int = 2, environment: Mapping[str, str] | None = None
    ) -> Server: ...


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the whole run of a worker: a test makes its own project, user or repository on it."""
    running = servers.start(tmp_path_factory.mktemp("server") / "data")
    _logs[running.url] = running.log
    yield running
    del _logs[running.url]
    code = running.stop()
    assert code == 0, f"exited with {code}\n{running.tail()}"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three replicas on PostgreSQL and S3, behind a load balancer that sends each request to the next one."""
    with s3.either() as store, clusters.running(tmp_path_factory.mktemp("cluster"), REPLICAS, store=store) as running:
        _logs.update({replica.name: replica.log for replica in running.replicas})
        yield running
        for replica in running.replicas:
            del _logs[replica.name]


@pytest.fixture(scope="session", params=["server", pytest.param("replicas", marks=pytest.mark.replicas)])
def registry(request: pytest.FixtureRequest) -> Registry:
    """What must hold for one server, and for many behind a load balancer."""
    made: Registry = request.getfixturevalue({"server": "server", "replicas": "cluster"}[request.param])
    return made


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
        _logs[running.url] = running.log
        return running

    yield start
    for running in mine:
        running.kill()
        del _logs[running.url]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--everything", action="store_true", help="run every client's test over replicas too, not only the chosen ones"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_log_sizes] = {log: log.stat().st_size for log in _logs.values() if log.exists()}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and programs.REMEDY in report.longrepr[2]:
        # one line for each missing program instead of one for each of its tests
        report.longrepr = (programs.__file__, 1, report.longrepr[2])
    if report.failed:
        seen = item.stash.get(_log_sizes, {})
        for name, log in _logs.items():
            report.sections.append((f"log of {name}", tail(log, since=seen.get(log, 0))))
    return report
