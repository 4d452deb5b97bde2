from sqlalchemy import JSON, Boolean, Column, ForeignKey, Integer, String, Table, UniqueConstraint

from mooring.database.metadata import Identity, Microseconds, metadata, ordered

projects = Table(
    "projects",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("name", ordered(255), nullable=False, unique=True),
    Column("public", Boolean, nullable=False, default=False),
    Column("owner_id", ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    Column("owner_name", String(255), nullable=False, default=""),
    Column("metadata", JSON, nullable=False, default=dict, comment="Harbor's metadata keys, but for `public`"),
    Column("created_at", Microseconds, nullable=False),
    Column("updated_at", Microseconds, nullable=False),
    sqlite_autoincrement=True,
)

members = Table(
    "members",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("role_id", Integer, nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("updated_at", Microseconds, nullable=False),
    UniqueConstraint("project_id", "user_id"),
)
