"""What routing remembers between videos, and which publications were ways back.

Revision: 0002. After: 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of states and the mark on publications."""
    op.create_table(
        "routing_state",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name="pk_routing_state"),
    )
    op.add_column(
        "routing_publications",
        sa.Column("rollback", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Forget both."""
    op.drop_column("routing_publications", "rollback")
    op.drop_table("routing_state")
