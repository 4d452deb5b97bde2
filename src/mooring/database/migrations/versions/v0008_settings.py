"""The settings in force in each replica, so that those that differ can be named."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    op.add_column("replicas", sa.Column("settings", sa.JSON(), nullable=False, server_default="{}"))
