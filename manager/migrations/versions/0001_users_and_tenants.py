"""Users, tenants, roles, tokens, and the provider's context."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.text("now()")
ROLES = (
    ("sys_admin", "system_role", "May do everything"),
    ("default", "system_role", "May do what the tenants allow"),
    ("manager", "tenant_role", "Manages a tenant and its resources"),
    ("user", "tenant_role", "Works with the resources of a tenant"),
    ("operations", "tenant_role", "Runs workflows in a tenant"),
    ("viewer", "tenant_role", "Looks at the resources of a tenant"),
)


def _time(name: str, *, given: bool = False) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=not given, server_default=NOW if given else None
    )


def upgrade() -> None:
    """Make the tables, and the roles in them."""
    roles = op.create_table(
        "roles",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("description", sa.String, nullable=False),
    )
    op.bulk_insert(roles, [dict(zip(("name", "type", "description"), role, strict=True)) for role in ROLES])
    op.create_table(
        "tenants",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False, unique=True),
        _time("created_at", given=True),
    )
    _create_users()
    op.create_table(
        "provider_context",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("context", postgresql.JSONB, nullable=False),
    )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("username", sa.String(256), nullable=False),
        sa.Column("password", sa.String, nullable=False),
        sa.Column("role_id", sa.Integer, sa.ForeignKey("roles.id"), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False, server_default="true"),
        _time("created_at", given=True),
        _time("last_login_at"),
        sa.Column("failed_logins", sa.Integer, nullable=False, server_default="0"),
        _time("locked_until"),
    )
    op.create_index("users_username_key", "users", [sa.text("lower(username)")], unique=True)
    user = sa.ForeignKey("users.id", ondelete="CASCADE")
    owner = sa.ForeignKey("users.id", ondelete="CASCADE")
    tenant = sa.ForeignKey("tenants.id", ondelete="CASCADE")
    op.create_table(
        "users_tenants",
        sa.Column("user_id", sa.Integer, user, primary_key=True),
        sa.Column("tenant_id", sa.Integer, tenant, primary_key=True, index=True),
        sa.Column("role_id", sa.Integer, sa.ForeignKey("roles.id"), nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer, owner, nullable=False, unique=True),
        _time("created_at", given=True),
    )


def downgrade() -> None:
    """Drop it all."""
    for table in ("provider_context", "tokens", "users_tenants", "users", "tenants", "roles"):
        op.drop_table(table)
