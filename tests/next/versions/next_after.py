"""Whoever does not fill the column can't add a tag any more."""

import sqlalchemy as sa
from alembic import op

from tests.next import AFTER, BEFORE

revision = AFTER
down_revision = BEFORE
branch_labels = None
depends_on = None
phase = "after"


def upgrade() -> None:
    with op.batch_alter_table("tags") as tags:
        tags.alter_column("berth", existing_type=sa.String(20), existing_nullable=False, server_default=None)
