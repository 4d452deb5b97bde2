"""A column that the present version does not know."""

import sqlalchemy as sa
from alembic import op

from tests.next import BEFORE, PRESENT

revision = BEFORE
down_revision = PRESENT
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    op.add_column("tags", sa.Column("berth", sa.String(20), nullable=False, server_default=""))
