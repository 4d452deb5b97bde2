"""SQLite for one machine: WAL, synchronous=FULL, one writing thread that commits what waits together."""

import asyncio
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as driver
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import QueuePool

from mooring.database.database import P, T, Transaction, in_use
from mooring.database.lookup import Lookup, Values
from mooring.database.waiting import Outcome, Work, tell
from mooring.errors import (
    ConfigurationError,
    Conflict,
    Invalid,
    MooringError,
    StorageFull,
    StorageReadOnly,
    Unavailable,
)
from mooring.measuring import Observe, measured, unobserved

OLDEST_SQLITE = (3, 51, 3)
"""Older ones can lose commits when two connections write and checkpoint a WAL at once (sqlite.org/wal.html)."""

READERS = 8
LARGEST_BATCH = 128
BUSY_SECONDS = 10.0
"""How long a transaction waits for its turn, before it has begun."""

_SILENT = "The registry's database can't answer right now. Try again shortly."
_DAMAGED = "The registry's database is damaged, or its file is no database. Its operator has to restore a backup."


class SQLite:
    looks_at_once = True

    def __init__(self, path: Path) -> None:
        if driver.sqlite_version_info < OLDEST_SQLITE:
            oldest = ".".join(map(str, OLDEST_SQLITE))
            raise ConfigurationError(f"SQLite {driver.sqlite_version} has a bug that loses data; {oldest} is needed.")
        self.path = path
        self.engine = _engine(path)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._starting = threading.Lock()
        self._loop_connection: Connection | None = None
        self._looking: Any = None
        self._texts: dict[Lookup[Any], str] = {}
        self._turn = Turn(path.parent)
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
        self._enqueue(work)
        late = loop.call_later(BUSY_SECONDS, work.give_up, Unavailable(_SILENT))
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
        self._enqueue(work)
        wait([answer], BUSY_SECONDS)
        work.give_up(Unavailable(_SILENT))
        return answer.result()

    def close(self) -> None:
        if self._writer is not None:
            self._waiting.put(None)
            self._writer.join()
            self._writer = None
        self._readers.shutdown()
        self._turn.close()
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

    def _enqueue(self, work: Work) -> None:
        with self._starting:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="write", daemon=True)
                self._writer.start()
        self._waiting.put(work)

    def _write_all(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            batch, ended = [first], False
            try:
                with translated_errors(), self._turn.taken():
                    # Only now: what came while others wrote shares this sync.
                    ended = self._take_waiting(batch)
                    outcomes = self._commit_together(batch)
            except BaseException as error:  # noqa: BLE001 - whoever waits must be told, whatever it was
                outcomes = [Outcome(failure=error)] * len(batch)
            tell(zip(batch, outcomes, strict=True))
            if ended:
                return

    def _take_waiting(self, batch: list[Work]) -> bool:
        """Leaves in the batch those that still wait for their turn. Whether nothing comes behind them."""
        ended = False
        while len(batch) < LARGEST_BATCH and not ended:
            try:
                work = self._waiting.get_nowait()
            except queue.Empty:
                break
            if work is None:
                ended = True
            else:
                batch.append(work)
        batch[:] = [work for work in batch if work.begin()]
        return ended

    def _commit_together(self, batch: list[Work]) -> list[Outcome]:
        """Many waiting transactions share one sync; each has a savepoint, so one that fails takes none along."""
        if not batch:
            return []
        outcomes = []
        with self.engine.connect() as connection:
            connection.info["write"] = True
            with connection.begin():
                for work in batch:
                    outcomes.append(_attempt(connection, work.run))
                    _require_open(connection)
        return outcomes


class Turn:
    """Whose turn it is to write, among all processes: the kernel wakes the next one at once, and frees a dead one's.

    SQLite's own way is to look again after 1, 2, 5, 10 and more milliseconds: a third fewer pushes with two workers.
    """

    def __init__(self, directory: Path) -> None:
        """The lock is on the directory: one on SQLite's own files would take its locks along when it is closed."""
        self._directory = directory
        self._descriptor = -1

    @contextmanager
    def taken(self) -> Iterator[None]:
        if self._descriptor < 0:
            self._descriptor = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _attempt(connection: Connection, run: Callable[[Connection], Any]) -> Outcome:
    try:
        with translated_errors(), _savepoint(connection):
            return Outcome(run(connection))
    except (StorageFull, StorageReadOnly):
        raise
    except StopIteration as error:
        # No future takes it: the others of this batch would wait for ever.
        return Outcome(failure=RuntimeError(repr(error)))
    except Exception as error:  # noqa: BLE001 - handed to the one who waits for this transaction
        return Outcome(failure=error)


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    """By SQL alone: `begin_nested` takes ten times as long, and every write of a batch has one."""
    connection.exec_driver_sql("SAVEPOINT work")
    try:
        yield
    except BaseException:
        if _is_open(connection):
            connection.exec_driver_sql("ROLLBACK TO work")
            connection.exec_driver_sql("RELEASE work")
        raise
    connection.exec_driver_sql("RELEASE work")


def _is_open(connection: Connection) -> bool:
    raw = connection.connection.dbapi_connection
    return raw is not None and bool(raw.in_transaction)


def _require_open(connection: Connection) -> None:
    """Raises Unavailable when an error made SQLite roll back all that was done (sqlite.org/lang_transaction.html)."""
    if not _is_open(connection):
        raise Unavailable(_SILENT)


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


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise translated(error) from error
    except UnicodeEncodeError as error:
        raise Invalid("The request has text that can't be stored.") from error


def translated(error: DBAPIError) -> MooringError | DBAPIError:
    """What the driver's words mean for a caller; an error of our own making stays as it is."""
    text = str(error.orig)
    if isinstance(error, IntegrityError) and text.startswith(("UNIQUE", "FOREIGN KEY")):
        return Conflict("Somebody else changed this at the same moment. Look again.")
    if "disk is full" in text:
        return StorageFull()
    if "readonly database" in text or "read-only" in text:
        return StorageReadOnly()
    if any(sign in text for sign in ("locked", "busy", "unable to open", "disk I/O error")):
        return Unavailable(_SILENT)
    if "not a database" in text or "malformed" in text:
        return Unavailable(_DAMAGED)
    return error
