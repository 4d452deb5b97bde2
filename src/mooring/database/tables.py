from sqlalchemy import Column, Integer, String, Table

from mooring.database.metadata import metadata

schema_window = Table(
    "schema_window",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("oldest", String(32), nullable=False, comment="a version that does not know this revision may not serve"),
)
