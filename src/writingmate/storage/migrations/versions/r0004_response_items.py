"""Items of responses by their providers' ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "response_items",
        sa.Column("workspace_id", sa.String(length=40), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("response_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "item_id", "response_id", name=op.f("pk_response_items")),
    )
    op.create_index(
        op.f("ix_response_items_workspace_id_response_id"),
        "response_items",
        ["workspace_id", "response_id"],
        unique=False,
    )
