"""The one MetaData that each context's `tables` module adds to, and the column types they share."""

from sqlalchemy import BigInteger, Integer, MetaData, String

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Identity = BigInteger().with_variant(Integer, "sqlite")
Microseconds = BigInteger
"""Cluster time: microseconds since the Unix epoch, UTC."""


def ordered(length: int) -> String:
    """Text that sorts byte by byte in both databases, as the tag list of the specification wants."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")
