"""The cluster under test: PostgreSQL, a shared store, replicas as processes, a load balancer."""

import base64
import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests import postgresql
from tests.postgresql import PostgreSQL
from tests.replicas import balancer, command
from tests.replicas.balancer import Balancer
from tests.replicas.command import Said
from tests.replicas.replica import Replica
from tests.s3 import S3
from tests.server import PASSWORD, USERNAME, free_port

START_SECONDS = 120.0


def new_key() -> str:
    """A master key, as MOORING_MASTER_KEY gives it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Cluster:
    """`store` is None where the bytes are in a directory that all replicas share."""

    directory: Path
    database: PostgreSQL
    environment: dict[str, str]
    store: S3 | None = None
    username: str = USERNAME
    password: str = PASSWORD
    replicas: list[Replica] = field(default_factory=list)
    module: str = "mooring"
    """What the replicas run, and its commands."""
    _balancer: Balancer | None = None

    @property
    def balancer(self) -> Balancer:
        assert self._balancer is not None, "not started"
        return self._balancer

    @property
    def url(self) -> str:
        return self.balancer.url

    @property
    def address(self) -> str:
        return self.balancer.address

    def execute(self, statement: str) -> int:
        with psycopg.connect(self.environment["MOORING_DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(statement).rowcount  # type: ignore[call-overload,no-any-return,unused-ignore]

    def value(self, statement: str) -> object:
        """The first column of the first row, as the database has it."""
        with psycopg.connect(self.environment["MOORING_DATABASE_URL"], autocommit=True) as connection:
            row = connection.execute(statement).fetchone()  # type: ignore[call-overload,unused-ignore]
        assert row is not None, statement
        return row[0]

    def replica(self, name: str, *, module: str | None = None, **changes: str) -> Replica:
        """A replica that has not been started, with its own changes to what all were told."""
        return Replica(name, free_port(), {**self.environment, **changes}, self.directory, module or self.module)

    def worker(self, name: str, **changes: str) -> Replica:
        """A process that only works in the background, and has not been started."""
        return Replica(name, free_port(), {**self.environment, **changes}, self.directory, command="worker")

    def start(self, count: int) -> None:
        """All at once, on an empty database: one of them makes it, the others wait."""
        self.replicas = [self.replica(f"replica-{number}") for number in range(1, count + 1)]
        for replica in self.replicas:
            replica.launch()
        end = time.monotonic() + START_SECONDS
        for replica in self.replicas:
            replica.wait_until_ready(end - time.monotonic())
        self._balancer = balancer.start(self.directory, self.ports())

    def ports(self) -> list[int]:
        return [replica.port for replica in self.replicas]

    def mooring(self, *words: str, typed: str = "", **changes: str) -> Said:
        return command.run({**self.environment, **changes}, self.directory, *words, module=self.module, typed=typed)

    def stop(self) -> None:
        if self._balancer is not None:
            self._balancer.stop()
        for replica in self.replicas:
            replica.kill()


@contextlib.contextmanager
def running(
    directory: Path, count: int, more: Mapping[str, str] | None = None, module: str = "mooring", store: S3 | None = None
) -> Iterator[Cluster]:
    """Replicas on a PostgreSQL of their own, and on a new bucket of `store` or else on a shared directory."""
    with postgresql.running() as database:
        environment = {
            "MOORING_DATABASE_URL": database.create(),
            "MOORING_MASTER_KEY": new_key(),
            "MOORING_ADMIN_PASSWORD": PASSWORD,
            **_place(directory, store),
            **(more or {}),
        }
        cluster = Cluster(directory, database, environment, store, module=module)
        try:
            cluster.start(count)
            yield cluster
        finally:
            cluster.stop()


def _place(directory: Path, store: S3 | None) -> dict[str, str]:
    if store is not None:
        return {"MOORING_STORE": store.url(store.create()), **store.environment}
    (directory / "store").mkdir()
    return {"MOORING_STORE": f"file://{directory / 'store'}"}
