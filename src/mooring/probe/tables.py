from sqlalchemy import Column, Float, Integer, String, Table, Text

from mooring.database.metadata import Identity, Microseconds, metadata

probes = Table(
    "probes",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("started_at", Microseconds, nullable=False, index=True),
    Column("replica", String(160), nullable=False, comment="who probed"),
    Column("seconds", Float, nullable=False, comment="of the slowest push"),
    Column("pushes", Integer, nullable=False),
    Column("fault", Text, nullable=False, comment="why it failed; empty where it did not"),
    Column("last_success_at", Microseconds, nullable=True, comment="of this one or one before it"),
)
