"""A look for one row by its indexes: what most requests ask of the database, compiled once."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Dialect, Select

T_co = TypeVar("T_co", covariant=True)
Values = Sequence[Any]


class Lookup(Generic[T_co]):
    """One SELECT of one row; `shape` makes the answer of its columns, or of None where there is no such row.

    It is a transaction like any other, called with a connection and its parameters in the order in which the statement
    names them. But a database may also take its text and run it without SQLAlchemy, whose way through compiler,
    cursor and result costs ten times what the search does.
    """

    short = True

    def __init__(self, select: Select[*tuple[Any, ...]], names: Sequence[str], shape: Callable[[Values | None], T_co]):
        self.select = select
        self.names = tuple(names)
        self.shape = shape

    def __call__(self, connection: Connection, *values: str | int) -> T_co:
        given = dict(zip(self.names, values, strict=True))
        row = connection.execute(self.select, given).first()
        return self.shape(None if row is None else tuple(row))

    def text(self, dialect: Dialect) -> str:
        """For the driver itself. Raises ValueError for a statement that needs SQLAlchemy to convert something."""
        compiled = self.select.compile(dialect=dialect)
        if tuple(compiled.positiontup or compiled.params) != self.names:
            raise ValueError(f"the parameters are {list(compiled.params)}, not {list(self.names)}")
        types = [column.type.dialect_impl(dialect) for column in self.select.selected_columns]
        if any(kind.result_processor(dialect, None) for kind in types):
            raise ValueError("a column has to be converted")
        return str(compiled)
