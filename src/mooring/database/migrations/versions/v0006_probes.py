"""What the probes within the registry found, and where each replica can be reached by them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    op.add_column("replicas", sa.Column("address", sa.String(length=255), nullable=False, server_default=""))
    op.create_table(
        "probes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("replica", sa.String(length=160), nullable=False, comment="who probed"),
        sa.Column("seconds", sa.Float(), nullable=False, comment="of the slowest push"),
        sa.Column("pushes", sa.Integer(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False, comment="why it failed; empty where it did not"),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True, comment="of this one or one before it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_probes")),
    )
    op.create_index(op.f("ix_probes_started_at"), "probes", ["started_at"])
