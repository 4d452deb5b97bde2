"""SQLite for one machine: WAL, synchronous=FULL, one writing thread that commits what waits together."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as driver
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from mooring.database.database import P, T, Transaction, in_use
from mooring.database.lookup import Lookup, Values
from mooring.database.sqlite_errors import SILENT, translated_errors
from mooring.database.sqlite_writer import Writer
from mooring.database.waiting import Work
from mooring.errors import ConfigurationError, Unavailable
from mooring.measuring import Observe, measured, unobserved

OLDEST_SQLITE = (3, 51, 3)
"""Older ones can lose commits when two connections write and checkpoint a WAL at once (sqlite.org/wal.html)."""

READERS = 8
BUSY_SECONDS = 10.0
"""How long a transaction waits for its turn, before it has begun."""


class SQLite:
    looks_at_once = True

    def __init__(self, path: Path) -> None:
        if driver.sqlite_version_info < OLDEST_SQLITE:
            oldest = ".".join(map(str, OLDEST_SQLITE))
            raise ConfigurationError(f"SQLite {driver.sqlite_version} has a bug that loses data; {oldest} is needed.")
        self.path = path
        self.engine = _engine(path)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._writer = Writer(self.engine, path.parent)
        self._loop_connection: Connection | None = None
        self._looking: Any = None
        self._texts: dict[Lookup[Any], str] = {}
        self._observe: Observe = unobserved

    async def read(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if isinstance(transaction, Lookup):
            found: T = self._look(transaction, args)
            return found
        if getattr(transaction, "short", False):
            with translated_errors():
                return transaction(self._short_reads(), *args, **kwargs)
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._readers, partial(self.read_now, transaction, *args, **kwargs))
        return await measured(self._observe, "read", work)

    async def write(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        work = Work(lambda connection: transaction(connection, *args, **kwargs), answer)
        self._writer.enqueue(work)
        late = loop.call_later(BUSY_SECONDS, work.give_up, Unavailable(SILENT))
        try:
            return await measured(self._observe, "write", answer)
        finally:
            late.cancel()

    def read_now(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with translated_errors(), self.engine.connect() as connection:
            return transaction(connection, *args, **kwargs)

    def write_now(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        answer: Future[T] = Future()
        work = Work(lambda connection: transaction(connection, *args, **kwargs), answer)
        self._writer.enqueue(work)
        wait([answer], BUSY_SECONDS)
        work.give_up(Unavailable(SILENT))
        return answer.result()

    def close(self) -> None:
        self._writer.close()
        self._readers.shutdown()
        if self._loop_connection is not None:
            self._loop_connection.close()
            self._loop_connection = self._looking = None
        self.engine.dispose()

    def observed_by(self, observe: Observe) -> None:
        self._observe = observe

    def connections(self) -> tuple[int, int]:
        return in_use(self.engine), READERS + 2

    def _short_reads(self) -> Connection:
        """The event loop's own connection. Each statement is a transaction: nothing stays open between them."""
        if self._loop_connection is None:
            connection = self.engine.connect()
            self._loop_connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        return self._loop_connection

    def _look(self, lookup: Lookup[T], values: Values) -> T:
        """On the event loop, by a statement that the driver keeps prepared."""
        text = self._texts.get(lookup)
        if text is None:
            text = self._texts[lookup] = lookup.text(self.engine.dialect)
        try:
            row = (self._looking or self._loop_driver()).execute(text, values).fetchone()
        except (driver.Error, UnicodeEncodeError):
            # By SQLAlchemy the same error comes again, and is explained.
            with translated_errors():
                return lookup(self._short_reads(), *values)
        return lookup.shape(row)

    def _loop_driver(self) -> Any:
        if self._looking is None:
            self._looking = self._short_reads().connection.driver_connection
        return self._looking


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        module=driver,
        poolclass=QueuePool,
        pool_size=READERS + 2,
        max_overflow=0,
        pool_timeout=10,
        connect_args={
            "check_same_thread": False,
            "isolation_level": None,
            "timeout": BUSY_SECONDS,
        },
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_SECONDS * 1000:.0f}",
            "cache_size = -8192",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that turns to writing can't wait for its turn and fails as "locked".
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return
        write = connection.info.pop("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
