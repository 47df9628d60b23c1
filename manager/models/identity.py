"""Who uses the manager, and in which tenants."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from manager.models.base import NAME_LENGTH, Base

ADMIN_ROLE = "sys_admin"
DEFAULT_ROLE = "default"
SYSTEM_ROLES = (ADMIN_ROLE, DEFAULT_ROLE)
TENANT_ROLES = ("manager", "user", "operations", "viewer")
DEFAULT_TENANT_ROLE = "user"
DEFAULT_TENANT = "default_tenant"


class Role(Base):
    """What somebody may do: everywhere (``type`` is ``system_role``) or in a tenant (``tenant_role``)."""

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    type: Mapped[str] = mapped_column(String(32))
    description: Mapped[str]


class Tenant(Base):
    """A separate world of resources."""

    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class User(Base):
    """Somebody who may log in. ``password`` is an argon2 hash."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(NAME_LENGTH))
    password: Mapped[str]
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"))
    active: Mapped[bool] = mapped_column(default=True, server_default="true")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime | None]
    failed_logins: Mapped[int] = mapped_column(default=0, server_default="0")
    locked_until: Mapped[datetime | None]

    role: Mapped[Role] = relationship(lazy="joined", innerjoin=True)


# Nobody shall be able to pose as somebody by the case of a letter.
Index("users_username_key", func.lower(User.username), unique=True)


class Membership(Base):
    """A user in a tenant, with a role there."""

    __tablename__ = "users_tenants"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id"))


class Token(Base):
    """A user's token. It is the same at every look, as long as the password is, so it is kept as it is."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @classmethod
    def fresh(cls, user: User) -> Token:
        """A token for a user who has none, and has an ``id`` already."""
        return cls(id=secrets.token_hex(16), secret=secrets.token_hex(32), user_id=user.id)

    @property
    def value(self) -> str:
        """What the client sends."""
        return f"{self.id}-{self.secret}"


class ProviderContext(Base):
    """What clients are told of the environment that the manager was set up in."""

    __tablename__ = "provider_context"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    context: Mapped[dict[str, Any]]
