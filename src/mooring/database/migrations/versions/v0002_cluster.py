"""Settings that may be changed while serving, and what each replica says of itself."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    op.create_table(
        "configuration",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("values_set", sa.JSON(), nullable=False, comment="all that is set, by the names of settings"),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_configuration")),
    )
    op.add_column("replicas", sa.Column("failed", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("replicas", sa.Column("keys", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("replicas", sa.Column("configuration_version", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("replicas", sa.Column("clock_offset", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("replicas", sa.Column("clock_error", sa.BigInteger(), nullable=False, server_default="0"))
