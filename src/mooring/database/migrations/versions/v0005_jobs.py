"""Procrastinate's tables, and what a process is there for."""

import sqlalchemy as sa
from alembic import op

from mooring.database import procrastinate

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    op.add_column("replicas", sa.Column("role", sa.String(length=16), nullable=False, server_default="server"))
    if op.get_bind().dialect.name == "postgresql":
        procrastinate.bring(op.get_bind())
