"""A transaction is one plain function of a connection; where and how it runs is decided here."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import QueuePool

from mooring.measuring import Observe

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

Transaction = Callable[Concatenate[Connection, P], T]


class Database(Protocol):
    """`read` and `write` raise Unavailable when the database can't answer, and what the function raises.

    On PostgreSQL other transactions run at the same time (READ COMMITTED). What is read in order to decide what to
    write is read `with_for_update`, written by an upsert, or done under `locks.hold`; a unique or foreign key that is
    violated nevertheless runs the function again. So it may run more than once, and does nothing but SQL.
    """

    async def read(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    async def write(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def read_now(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def write_now(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def close(self) -> None: ...

    def observed_by(self, observe: Observe) -> None:
        """Tell how long what `read` and `write` have done in a thread took."""
        ...

    @property
    def looks_at_once(self) -> bool:
        """Whether a Lookup is answered without waiting for anybody, on the event loop itself."""
        ...

    def connections(self) -> tuple[int, int]:
        """How many are in use, and how many there may be."""
        ...


def in_use(engine: Engine) -> int:
    """How many connections of its pool are."""
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedout()


def short(transaction: F) -> F:
    """Mark a read that only looks up indexed rows: SQLite may run it on the event loop itself.

    A hop to a thread costs more than such a read, and readers of a WAL wait for nobody.
    """
    transaction.__dict__["short"] = True
    return transaction
