from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from mooring.database.metadata import Identity, Microseconds, metadata, ordered

DIGEST = 140
"""Room for `sha512:` and 128 hexadecimal digits."""

ObjectKey = String(64).with_variant(String(32), "sqlite")
"""SQLite, which does not look at the length, would have to copy the whole table to change it."""

repositories = Table(
    "repositories",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("name", ordered(255), nullable=False, unique=True, comment="whole name, with the project"),
    Column("description", Text, nullable=False, default=""),
    Column("pull_count", BigInteger, nullable=False, default=0),
    Column("created_at", Microseconds, nullable=False, index=True),
    Column("updated_at", Microseconds, nullable=False),
    Index("ix_repositories_project_id_created_at", "project_id", "created_at"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", String(DIGEST), primary_key=True),
    Column("object_key", ObjectKey, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Microseconds, nullable=False),
)

repository_blobs = Table(
    "repository_blobs",
    metadata,
    Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", ForeignKey("blobs.digest"), primary_key=True),
    Column("linked_at", Microseconds, nullable=False),
    Index("ix_repository_blobs_digest", "digest"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True, comment="also the key of its object"),
    Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("subject", String(32), nullable=False),
    Column("algorithm", String(16), nullable=False),
    Column("size", BigInteger, nullable=False, default=0, comment="bytes acknowledged"),
    Column("digest", String(DIGEST), nullable=True, comment="of those bytes, where one process saw them all"),
    Column("state", Text, nullable=False, server_default=text("''"), comment="what the store needs to continue"),
    Column("reserved", Integer, nullable=False, server_default="0", comment="numbers of parts given out so far"),
    Column("created_at", Microseconds, nullable=False),
    Column("touched_at", Microseconds, nullable=False, index=True),
)

manifests = Table(
    "manifests",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("digest", String(DIGEST), nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("artifact_type", String(255), nullable=False, default=""),
    Column("config_media_type", String(255), nullable=False, default=""),
    Column("subject", String(DIGEST), nullable=True),
    Column("annotations", JSON, nullable=False, default=dict),
    Column("size", BigInteger, nullable=False, comment="of the manifest itself"),
    Column("total_size", BigInteger, nullable=False, comment="with what it refers to"),
    Column("pushed_by", String(255), nullable=False, default=""),
    Column("pushed_at", Microseconds, nullable=False),
    Column("pulled_at", Microseconds, nullable=True),
    Column("body", LargeBinary, nullable=False, comment="exactly as it came"),
    UniqueConstraint("repository_id", "digest"),
    Index("ix_manifests_repository_id_subject", "repository_id", "subject", "digest"),
    Index("ix_manifests_repository_id_pushed_at", "repository_id", "pushed_at"),
)

manifest_references = Table(
    "manifest_references",
    metadata,
    Column("manifest_id", ForeignKey("manifests.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(DIGEST), primary_key=True),
    Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(8), nullable=False, comment="blob or manifest"),
    Column("required", Boolean, nullable=False, comment="must be there as long as the manifest is"),
    Column("platform", JSON, nullable=True, comment="of an index's entry"),
    Index("ix_manifest_references_repository_id_digest", "repository_id", "digest"),
    # Parts of indexes, which are few: a list of artifacts counts without them.
    Index(
        "ix_manifest_references_manifests",
        "repository_id",
        "digest",
        sqlite_where=text("kind = 'manifest'"),
        postgresql_where=text("kind = 'manifest'"),
    ),
)

tags = Table(
    "tags",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("name", ordered(128), nullable=False),
    Column("manifest_id", ForeignKey("manifests.id", ondelete="CASCADE"), nullable=False),
    Column("pushed_at", Microseconds, nullable=False),
    Column("pulled_at", Microseconds, nullable=True),
    UniqueConstraint("repository_id", "name"),
    Index("ix_tags_manifest_id_pushed_at", "manifest_id", "pushed_at"),
)

blob_reviews = Table(
    "blob_reviews",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False, comment="0: the blob itself"),
    Column("digest", String(DIGEST), primary_key=True),
    Column("due_at", Microseconds, nullable=False, index=True),
)

object_removals = Table(
    "object_removals",
    metadata,
    Column("object_key", ObjectKey, primary_key=True),
    Column("due_at", Microseconds, nullable=False, index=True),
)
