"""Which versions may serve the database, and what a replica says of its schema, its server and its master key."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    window = op.create_table(
        "schema_window",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "oldest",
            sa.String(length=32),
            nullable=False,
            comment="a version that does not know this revision may not serve",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_window")),
    )
    op.bulk_insert(window, [{"id": 1, "oldest": "0001"}])
    op.add_column("replicas", sa.Column("schema", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("replicas", sa.Column("server", sa.String(length=32), nullable=False, server_default=""))
    op.add_column("replicas", sa.Column("host", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("replicas", sa.Column("master_keys", sa.JSON(), nullable=False, server_default="[]"))
