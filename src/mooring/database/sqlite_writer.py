"""The one thread of a process that writes to SQLite: it commits together what waits together."""

import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from mooring.database.sqlite_errors import SILENT, translated_errors
from mooring.database.waiting import Outcome, Work, tell
from mooring.errors import StorageFull, StorageReadOnly, Unavailable

LARGEST_BATCH = 128


class Writer:
    def __init__(self, engine: Engine, directory: Path) -> None:
        """`directory` is where all processes meet that write to the same database."""
        self._engine = engine
        self._waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._turn = Turn(directory)

    def enqueue(self, work: Work) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="write", daemon=True)
                self._thread.start()
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
        with self._engine.connect() as connection:
            connection.info["write"] = True
            with connection.begin():
                for work in batch:
                    outcomes.append(_attempt(connection, work.run))
                    _require_open(connection)
        return outcomes

    def close(self) -> None:
        """What waits is written before."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
        self._turn.close()


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
        raise Unavailable(SILENT)
