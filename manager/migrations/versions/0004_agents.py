"""What agents need: tokens of executions, and which members an agent knows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "execution_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column(
            "execution_pk",
            sa.BigInteger(),
            sa.ForeignKey("executions.pk", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.add_column("agents", sa.Column("members", JSONB(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("agents", "members")
    op.drop_table("execution_tokens")
