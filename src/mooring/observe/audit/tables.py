from sqlalchemy import BigInteger, Column, Index, String, Table

from mooring.database.metadata import Identity, Microseconds, metadata

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("at", Microseconds, nullable=False),
    Column("project_id", BigInteger, nullable=True, comment="kept when the project goes; null for the system's"),
    Column("username", String(255), nullable=False),
    Column("operation", String(32), nullable=False),
    Column("resource_type", String(32), nullable=False),
    Column("resource", String(512), nullable=False),
    Column("description", String(512), nullable=False),
    # Every push writes a row: no index that no question needs.
    Index("ix_audit_log_project_id", "project_id", "id"),
)
