"""Uploads that any replica continues, and a store that is marked once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    op.add_column("cluster", sa.Column("store_marked_at", sa.BigInteger(), nullable=True))
    op.add_column("uploads", sa.Column("digest", sa.String(length=140), nullable=True))
    op.add_column("uploads", sa.Column("state", sa.Text(), nullable=False, server_default=""))
    op.add_column("uploads", sa.Column("reserved", sa.Integer(), nullable=False, server_default="0"))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("blobs", "object_key", type_=sa.String(length=64))
        op.alter_column("object_removals", "object_key", type_=sa.String(length=64))
