"""Statements on a connection of the event loop's own: sent as they come, answered in their order, without a thread.

libpq's pipeline mode, by psycopg's `pq` (postgresql.org/docs/current/libpq-pipeline-mode.html). What asks in one turn
of the loop is one batch and one transaction, which ends with a sync: what fails in it takes no other batch along.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import psycopg
from psycopg.pq import ExecStatus
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from mooring.database.lookup import Statement, Values
from mooring.errors import Unavailable
from mooring.measuring import Observe, unobserved

PATIENCE_SECONDS = 5.0
"""How long the server may be silent: searches by index take no second of it."""

WATCH_SECONDS = 1.0
PAUSE_SECONDS = 1.0
"""After a connection that could not be made: meanwhile nobody waits for another one."""

SILENT = "The registry's database does not answer. Try again shortly."
TEXT, BINARY = 0, 1
_dialect = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # it has no types

Connect = Callable[[], Awaitable[psycopg.Connection[Any]]]


class Broken(Exception):
    """This statement was not answered. It may be to blame, or one that went with it, or neither."""


class _Asked(NamedTuple):
    statement: "_Prepared"
    values: Values
    answer: "asyncio.Future[Values | None]"


@dataclass
class _Batch:
    asked: list[_Asked]
    began: float = field(default_factory=perf_counter)
    rows: list[Values | None] = field(default_factory=list)
    prepared: "list[_Prepared]" = field(default_factory=list)
    """Statements that were first sent with it."""
    failed: bool = False


class Pipeline:
    def __init__(self, connect: Connect, purpose: str) -> None:
        """`purpose` is what those who observe are told."""
        self._connect = connect
        self._purpose = purpose
        self.observe: Observe = unobserved
        self._statements: dict[Statement[Any], _Prepared] = {}
        self._numbers = itertools.count()
        self._reset(None)

    def _reset(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._connection: psycopg.Connection[Any] | None = None
        self._socket = -1
        self._opening: asyncio.Task[None] | None = None
        self._again_at = float("-inf")
        self._waiting: list[_Asked] = []
        self._due = False
        self._watched = False
        self._batches: deque[_Batch] = deque()
        self._names: dict[_Prepared, bytes] = {}
        """Of what the server was told to prepare."""

    async def ask(self, statement: Statement[Any], values: Values) -> Values | None:
        """The row. Raises Broken, Unavailable where the server is silent, and what `Statement.text` does."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Nobody waits any more for what belonged to another one.
            self.close()
            self._reset(loop)
        prepared = self._statements.get(statement)
        if prepared is None:
            prepared = self._statements[statement] = _Prepared(statement)
        answer: asyncio.Future[Values | None] = loop.create_future()
        self._waiting.append(_Asked(prepared, values, answer))
        if not self._due:
            # At the end of this turn of the loop, when all that came in it has asked.
            self._due = True
            loop.call_soon(self._send)
        return await answer

    @property
    def connections(self) -> int:
        return 0 if self._connection is None else 1

    def close_soon(self) -> None:
        """From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.close)

    def close(self) -> None:
        """Those who wait are told that it broke."""
        self._lose(Broken())

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            connection = await self._connect()
        except Exception:  # noqa: BLE001 - whoever looks by himself meets the same, and explains it
            self._again_at = loop.time() + PAUSE_SECONDS
            self._opening = None
            self._give_up(Broken())
            return
        connection.pgconn.nonblocking = 1
        connection.pgconn.enter_pipeline_mode()
        self._connection, self._opening, self._names = connection, None, {}
        # libpq forgets it when the server hangs up, the loop must not.
        self._socket = connection.pgconn.socket
        loop.add_reader(self._socket, self._readable)
        self._send()

    def _send(self) -> None:
        self._due = False
        loop = self._loop
        assert loop is not None
        if self._connection is None:
            if loop.time() < self._again_at:
                self._give_up(Broken())
            elif self._opening is None:
                self._opening = loop.create_task(self._open(loop))
            return
        if not self._waiting:
            return
        batch, self._waiting = _Batch(self._waiting), []
        self._batches.append(batch)
        try:
            self._write(batch, self._connection.pgconn, loop)
        except Exception:  # noqa: BLE001 - whoever looks by himself meets the same, and explains it
            # What was sent without its end can't be taken back.
            self._lose(Broken())
        if not self._watched:
            self._watched = True
            loop.call_later(WATCH_SECONDS, self._watch, loop)

    def _write(self, batch: _Batch, server: psycopg.pq.abc.PGconn, loop: asyncio.AbstractEventLoop) -> None:
        for statement, values, _ in batch.asked:
            name = self._names.get(statement)
            if name is None:
                name = self._names[statement] = b"asked_%d" % next(self._numbers)
                server.send_prepare(name, statement.text)
                batch.prepared.append(statement)
            given, formats = _parameters(values)
            server.send_query_prepared(name, given, formats, BINARY)
        server.pipeline_sync()
        if server.flush():
            loop.add_writer(self._socket, self._writable)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watched = bool(self._batches)
        if not self._batches:
            return
        if perf_counter() - self._batches[0].began > PATIENCE_SECONDS:
            silent = Unavailable(SILENT)
            silent.__cause__ = TimeoutError()
            self._lose(silent)
        loop.call_later(WATCH_SECONDS, self._watch, loop)

    def _writable(self) -> None:
        assert self._connection is not None
        assert self._loop is not None
        server = self._connection.pgconn
        try:
            if not server.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error:
            self._lose(Broken())

    def _readable(self) -> None:
        assert self._connection is not None
        server = self._connection.pgconn
        try:
            server.consume_input()
            between = True
            while not server.is_busy():
                result = server.get_result()
                if result is None:
                    if between:
                        return
                    between = True
                elif result.status == ExecStatus.PIPELINE_SYNC:
                    self._settle(self._batches.popleft())
                else:
                    between = False
                    self._take(self._batches[0], result)
        except psycopg.Error:
            self._lose(Broken())

    def _take(self, batch: _Batch, result: psycopg.pq.abc.PGresult) -> None:
        if result.status == ExecStatus.TUPLES_OK:
            statement = batch.asked[len(batch.rows)].statement
            batch.rows.append(statement.row(result) if result.ntuples else None)
        elif result.status != ExecStatus.COMMAND_OK:
            batch.failed = True

    def _settle(self, batch: _Batch) -> None:
        self.observe(self._purpose, perf_counter() - batch.began, False)
        if batch.failed:
            # Nobody knows whether they are prepared: they get other names the next time.
            for statement in batch.prepared:
                self._names.pop(statement, None)
            _tell(batch.asked, Broken())
            return
        for asked, row in zip(batch.asked, batch.rows, strict=True):
            if not asked.answer.done():
                asked.answer.set_result(row)

    def _lose(self, error: Exception) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        if connection is not None:
            connection.close()
        batches, self._batches = self._batches, deque()
        for batch in batches:
            self.observe(self._purpose, perf_counter() - batch.began, True)
            _tell(batch.asked, error)
        self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        _tell(waiting, error)


def _tell(asked: list[_Asked], error: Exception) -> None:
    for each in asked:
        if not each.answer.done() and not each.answer.get_loop().is_closed():
            each.answer.set_exception(error)


class _Prepared:
    def __init__(self, statement: Statement[Any]) -> None:
        """Raises ValueError for a column whose binary form is not known here."""
        self.text = statement.text(_dialect).encode()
        if unknown := [kind for kind in statement.kinds if kind not in _READ]:
            raise ValueError(f"there can't be a column of {unknown}")
        self._columns = [(number, _READ[kind]) for number, kind in enumerate(statement.kinds)]

    def row(self, result: psycopg.pq.abc.PGresult) -> Values:
        return [
            None if (value := result.get_value(0, number)) is None else read(value) for number, read in self._columns
        ]


def _integer(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


_READ: dict[type, Callable[[bytes], Any]] = {int: _integer, str: bytes.decode, bytes: bytes}


def _parameters(values: Values) -> tuple[list[bytes | None], list[int]]:
    """Text goes as bytes with a length: as C's it would end at a NUL, and find what was not asked for."""
    given = [value.encode() if isinstance(value, str) else None if value is None else b"%d" % value for value in values]
    return given, [BINARY if isinstance(value, str) else TEXT for value in values]
