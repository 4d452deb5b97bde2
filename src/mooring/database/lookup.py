"""One statement about one row, found by its indexes: what most requests ask of the database, compiled once."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Dialect, Insert, Select, Update

T_co = TypeVar("T_co", covariant=True)
Values = Sequence[Any]


class Statement(Generic[T_co]):
    """It is a transaction like any other, called with a connection and its parameters in the order in which the
    statement names them. But a database may also take its text and run it without SQLAlchemy, whose way through
    compiler, cursor and result costs ten times what the search does.

    `shape` makes the answer of the row's columns, or of None where there is none.
    """

    def __init__(
        self,
        statement: Select[*tuple[Any, ...]] | Insert | Update,
        names: Sequence[str],
        shape: Callable[[Values | None], T_co],
    ):
        self._statement = statement
        self.names = tuple(names)
        self.shape = shape

    def __call__(self, connection: Connection, *values: str | int | None) -> T_co:
        given = dict(zip(self.names, values, strict=True))
        row = connection.execute(self._statement, given).first()
        return self.shape(None if row is None else tuple(row))

    @property
    def kinds(self) -> Sequence[type]:
        """Of the columns."""
        return [column.type.python_type for column in self._statement.exported_columns]

    def text(self, dialect: Dialect) -> str:
        """For the driver itself. Raises ValueError for a statement that needs SQLAlchemy to convert something."""
        compiled = self._statement.compile(dialect=dialect)
        if tuple(compiled.positiontup or compiled.params) != self.names:
            raise ValueError(f"the parameters are {list(compiled.params)}, not {list(self.names)}")
        types = [column.type.dialect_impl(dialect) for column in self._statement.exported_columns]
        if any(kind.result_processor(dialect, None) for kind in types):
            raise ValueError("a column has to be converted")
        return str(compiled)


class Lookup(Statement[T_co]):
    """One SELECT."""

    short = True


class Change(Statement[T_co]):
    """One that writes. It may be done twice, where an answer is lost, and must do no more then.

    SQLite knows no WITH that writes: there `steps` does the same, with the same parameters.
    """

    def __init__(
        self,
        statement: Select[*tuple[Any, ...]] | Insert | Update,
        names: Sequence[str],
        shape: Callable[[Values | None], T_co],
        steps: Callable[..., T_co] | None = None,
    ):
        super().__init__(statement, names, shape)
        self._steps = steps

    def __call__(self, connection: Connection, *values: str | int | None) -> T_co:
        if self._steps is not None and connection.dialect.name == "sqlite":
            return self._steps(connection, *values)
        return super().__call__(connection, *values)
