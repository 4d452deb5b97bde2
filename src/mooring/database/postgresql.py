"""PostgreSQL for any number of replicas: transactions run in threads, on a bounded pool of connections.

Single statements need no thread: the event loop sends them itself."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from mooring.database import sqlstates
from mooring.database.database import P, T, Transaction, in_use
from mooring.database.lookup import Change, Lookup, Values
from mooring.database.pipeline import Broken, Pipeline
from mooring.errors import ConfigurationError, MooringError, Unavailable
from mooring.measuring import Observe, measured, unobserved

THREADS = 10
SPARE_CONNECTIONS = 2
"""For `read_now` and `write_now`, which run in their caller's thread."""

MOST_CONNECTIONS = THREADS + SPARE_CONNECTIONS + 2
"""With the event loop's own, for looks and for changes."""

CONNECT_SECONDS = 3
POOL_SECONDS = 4.0
RETURN_SECONDS = 5.0
"""How long a request waits for a server that takes no connection."""

ANSWER_SECONDS = 20.0
"""The server ends a statement before; this is for a server that says nothing at all."""

SESSION = {
    "statement_timeout": 15_000,
    "lock_timeout": 5_000,
    "idle_in_transaction_session_timeout": 30_000,
    "jit": "off",
}
"""Times in milliseconds. Compiling a plan takes longer than any page of a list."""

BY_INDEXES = " ".join(
    ["-c plan_cache_mode=force_generic_plan", *(f"-c enable_{way}=off" for way in ("seqscan", "hashjoin", "mergejoin"))]
)
"""For single statements, whose plans are made once: one that was made when a table was small would read the large one
whole, until that is analysed."""

IMPATIENTLY = "-c lock_timeout=200"
"""Milliseconds. Behind a change that waits for somebody's lock all others would wait: it goes on in a thread."""

ATTEMPTS = 4
BUSY = "The registry's database is busy. Try again shortly."
R = TypeVar("R")


class PostgreSQL:
    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reading = self.engine.execution_options(postgresql_readonly=True)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
        self._observe: Observe = unobserved
        self._parameters = parameters(url)
        self._looks = Pipeline(partial(self._connect, BY_INDEXES), "read")
        self._changes = Pipeline(partial(self._connect, f"{BY_INDEXES} {IMPATIENTLY}"), "write")

    async def read(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if isinstance(transaction, Lookup) and not _has_nul(args):
            # By itself a broken one meets its own error, or none, and is tried again where that may help.
            with suppress(Broken):
                found: T = transaction.shape(await self._looks.ask(transaction, args))
                return found
        work = self._patiently(partial(self.read_now, transaction, *args, **kwargs))
        return await measured(self._observe, "read", work)

    async def write(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if isinstance(transaction, Change) and not _has_nul(args):
            with suppress(Broken):
                changed: T = transaction.shape(await self._changes.ask(transaction, args))
                return changed
        work = self._patiently(partial(self.write_now, transaction, *args, **kwargs))
        return await measured(self._observe, "write", work)

    def read_now(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # READ COMMITTED gives each statement its own snapshot anyway; without BEGIN and ROLLBACK one trip is enough.
        engine = self._single if getattr(transaction, "short", False) else self._reading

        def read() -> T:
            with _connected(engine) as connection:
                return transaction(connection, *args, **kwargs)

        return self._attempt(read, sqlstates.worth_reading_again)

    def write_now(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def write() -> T:
            with _connected(self.engine) as connection:
                with connection.begin() as running:
                    try:
                        result = transaction(connection, *args, **kwargs)
                    except DBAPIError as error:
                        raise sqlstates.NotCommitted(error) from error
                    running.commit()
                return result

        return self._attempt(write, sqlstates.worth_writing_again)

    def close(self) -> None:
        self._looks.close()
        self._changes.close()
        self._threads.shutdown()
        self.engine.dispose()

    def observed_by(self, observe: Observe) -> None:
        self._observe = observe
        self._looks.observe = self._changes.observe = observe

    looks_at_once = False

    def connections(self) -> tuple[int, int]:
        return in_use(self.engine) + self._looks.connections + self._changes.connections, MOST_CONNECTIONS

    async def _connect(self, options: str) -> "psycopg.Connection[Any]":
        options = f"{self._parameters['options']} {options}"
        return await self._in_thread(
            partial(psycopg.connect, autocommit=True, **{**self._parameters, "options": options})
        )

    def _attempt(self, run: Callable[[], R], worthwhile: Callable[[Exception], bool]) -> R:
        """Run, and again where that may help and can't do the work twice. Raises what the error means."""
        for left in reversed(range(ATTEMPTS)):
            try:
                return run()
            except PoolTimeout as error:
                raise Unavailable(BUSY) from error
            except sqlstates.NotConnected as error:
                meant = sqlstates.translated(error.error)
                if isinstance(meant, Unavailable):
                    raise sqlstates.Unreachable(meant.text) from error.error
                raise meant from error.error
            except UnicodeEncodeError as error:
                raise sqlstates.UNWRITABLE from error
            except (DBAPIError, sqlstates.NotCommitted) as error:
                if sqlstates.server_demoted(error):
                    self.engine.dispose()
                    self._looks.close_soon()
                    self._changes.close_soon()
                if left and worthwhile(error):
                    time.sleep(random.uniform(0, 0.02) * (ATTEMPTS - left))  # noqa: S311 - apart, not secret
                    continue
                cause = error.error if isinstance(error, sqlstates.NotCommitted) else error
                assert isinstance(cause, DBAPIError)
                raise sqlstates.translated(cause) from cause
        raise AssertionError("unreachable")

    async def _patiently(self, call: Callable[[], R]) -> R:
        """A database that restarts, or hands over to another server, is back in seconds: most clients never notice."""
        loop = asyncio.get_running_loop()
        end = loop.time() + RETURN_SECONDS
        while True:
            try:
                return await self._in_thread(call)
            except sqlstates.Unreachable:
                if loop.time() > end:
                    raise
                await asyncio.sleep(random.uniform(0.1, 0.4))  # noqa: S311 - apart, not secret

    async def _in_thread(self, call: Callable[[], R]) -> R:
        """Raises Unavailable when no thread is free, or no answer comes, within a bounded time."""
        loop = asyncio.get_running_loop()
        work = _Work(call, loop)
        self._threads.submit(work.run)
        busy = loop.call_later(POOL_SECONDS, work.give_up)
        silent = loop.call_later(ANSWER_SECONDS, work.forget)
        try:
            return await work.answer
        finally:
            busy.cancel()
            silent.cancel()


class _Work(Generic[R]):
    """A transaction on its way to a thread. A thread takes it or its caller gives it up, never both."""

    def __init__(self, call: Callable[[], R], loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._loop = loop
        self._taken = threading.Lock()
        self.answer: asyncio.Future[R] = loop.create_future()

    def run(self) -> None:
        if not self._taken.acquire(blocking=False):
            return
        result: Any = None
        failure: BaseException | None = None
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits
            failure = error
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle, result, failure)

    def give_up(self) -> None:
        if self._taken.acquire(blocking=False):
            self._settle(None, _late(BUSY))

    def forget(self) -> None:
        """The thread goes on, and what it does may still take effect."""
        self._settle(None, _late("The registry's database does not answer. Try again shortly."))

    def _settle(self, result: Any, failure: BaseException | None) -> None:
        if self.answer.done():
            return
        if failure is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(failure)


def _has_nul(values: Values) -> bool:
    """No text of PostgreSQL's has one: this look would fail, and those that go with it."""
    return any(isinstance(value, str) and "\0" in value for value in values)


def _late(text: str) -> Unavailable:
    """With its cause: without one it would be our own word to somebody who was overtaken (`measuring`)."""
    error = Unavailable(text)
    error.__cause__ = TimeoutError()
    return error


def parameters(url: str) -> dict[str, Any]:
    """By libpq's own rules for addresses: several hosts, TLS, a password file. Raises ConfigurationError."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ConfigurationError("MOORING_DATABASE_URL is not an address that PostgreSQL's clients read.") from error
    options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    usual = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "mooring",
        # A standby that a failover left behind is no database to serve from.
        "target_session_attrs": "read-write",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }
    return {**usual, **given, "options": f"{options} {given.get('options', '')}".strip()}


def _connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except DBAPIError as error:
        # One of the pool's that broke is seen only when it is used: there may be better ones.
        if error.connection_invalidated:
            raise
        raise sqlstates.NotConnected(error) from error


def _engine(url: str) -> Engine:
    known = parameters(url)
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(**known),
        poolclass=QueuePool,
        pool_size=THREADS,
        max_overflow=SPARE_CONNECTIONS,
        pool_timeout=POOL_SECONDS,
        isolation_level="READ COMMITTED",
    )


def refuse_unfit(connection: Connection) -> None:
    """Raises ConfigurationError for a server that is too old or a database that can't hold every text."""
    version = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
    if int(version) < 150_000:
        raise ConfigurationError(f"PostgreSQL 15 or newer is needed; the server has {int(version) // 10_000}.")
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ConfigurationError(f"The database's encoding is {encoding}; create one with ENCODING 'UTF8'.")


__all__ = ["MooringError", "PostgreSQL", "refuse_unfit"]
