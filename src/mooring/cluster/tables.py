from sqlalchemy import Boolean, Column, Integer, LargeBinary, String, Table

from mooring.database.metadata import Microseconds, metadata

cluster = Table(
    "cluster",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("cluster_id", String(36), nullable=False),
    Column("master_key_check", LargeBinary, nullable=False),
    Column("created_at", Microseconds, nullable=False),
)

replicas = Table(
    "replicas",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("version", String(40), nullable=False),
    Column("started_at", Microseconds, nullable=False),
    Column("seen_at", Microseconds, nullable=False, index=True),
    Column("ready", Boolean, nullable=False),
)
