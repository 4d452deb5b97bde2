"""Transactions on the table `counters`."""

import threading

from sqlalchemy import Connection, insert, select, update

from mooring.database import short
from tests.database.conftest import counters


def put(connection: Connection, number: int, value: int = 0) -> int:
    connection.execute(insert(counters).values(id=number, value=value))
    return number


def increase(connection: Connection, number: int) -> int:
    """Read, then write: two of these at once must not both read the same value."""
    read = select(counters.c.value).where(counters.c.id == number).with_for_update()
    value = connection.execute(read).scalar_one() + 1
    connection.execute(update(counters).where(counters.c.id == number).values(value=value))
    return int(value)


def numbers(connection: Connection) -> list[int]:
    return list(connection.scalars(select(counters.c.id).order_by(counters.c.id)))


def value(connection: Connection, number: int) -> int | None:
    return connection.scalar(select(counters.c.value).where(counters.c.id == number))


@short
def short_value(connection: Connection, number: int) -> int | None:
    return value(connection, number)


@short
def short_failure(connection: Connection) -> None:
    connection.execute(select(counters)).first()
    raise LookupError("asked for")


def put_and_fail(connection: Connection, number: int) -> None:
    put(connection, number)
    raise LookupError("asked for")


class Gate:
    """A transaction that stays open until the test lets it end: what is written meanwhile waits, together."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()

    def __call__(self, connection: Connection, number: int) -> int:
        put(connection, number)
        self.entered.set()
        assert self.leave.wait(30)
        return number
