from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from mooring.database.metadata import Identity, Microseconds, metadata

users = Table(
    "users",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("username", String(255), nullable=False, unique=True),
    Column("email", String(255), nullable=True, unique=True),
    Column("realname", String(255), nullable=False, default=""),
    Column("comment", Text, nullable=False, default=""),
    Column("password_hash", String(255), nullable=False),
    Column("system_admin", Boolean, nullable=False, default=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", Microseconds, nullable=False),
    Column("updated_at", Microseconds, nullable=False),
    sqlite_autoincrement=True,
)
"""Ids are never used again: a token's subject is one, and may outlive its account."""

robots = Table(
    "robots",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("name", String(255), nullable=False, unique=True, comment="full name, with prefix and project"),
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("description", Text, nullable=False, default=""),
    Column("secret_hash", String(255), nullable=False, comment="SHA-256 of a made secret, argon2 of a chosen one"),
    Column("duration_days", Integer, nullable=False, comment="-1: for ever"),
    Column("expires_at", Microseconds, nullable=True),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("permissions", JSON, nullable=False, comment="[{kind, namespace, access: [{resource, action}]}]"),
    Column("creator", String(255), nullable=False, comment="user:ID or robot:ID"),
    Column("created_at", Microseconds, nullable=False),
    Column("updated_at", Microseconds, nullable=False),
    sqlite_autoincrement=True,
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("account", String(64), primary_key=True, comment="a hash: people type passwords into the name field"),
    Column("failures", Integer, nullable=False),
    Column("last_at", Microseconds, nullable=False),
    Index("ix_login_failures_last_at", "last_at"),
)
