"""Lists whose order an index has, and parts of indexes found by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
phase = "before"

MANIFESTS = sa.text("kind = 'manifest'")


def upgrade() -> None:
    """The two that are dropped are beginnings of new ones, which serve an older version as well."""
    op.create_index("ix_repositories_project_id_created_at", "repositories", ["project_id", "created_at"])
    op.create_index("ix_repositories_created_at", "repositories", ["created_at"])
    op.create_index("ix_tags_manifest_id_pushed_at", "tags", ["manifest_id", "pushed_at"])
    op.create_index(
        "ix_manifest_references_manifests",
        "manifest_references",
        ["repository_id", "digest"],
        sqlite_where=MANIFESTS,
        postgresql_where=MANIFESTS,
    )
    op.drop_index("ix_repositories_project_id", "repositories")
    op.drop_index("ix_tags_manifest_id", "tags")
