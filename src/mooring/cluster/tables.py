from sqlalchemy import JSON, Boolean, Column, Integer, LargeBinary, String, Table

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

configuration = Table(
    "configuration",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("values_set", JSON, nullable=False, comment="all that is set, by the names of settings"),
    Column("changed_by", String(255), nullable=False),
    Column("changed_at", Microseconds, nullable=False),
)
