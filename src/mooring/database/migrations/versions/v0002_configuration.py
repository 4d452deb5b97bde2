"""Settings that may be changed while serving."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "configuration",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "values_set", sa.JSON(), nullable=False, comment="all that is set, by the names of settings"
        ),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_configuration")),
    )
