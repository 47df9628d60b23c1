"""What every resource in a tenant has."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from manager.models.base import NAME_LENGTH, Keyed
from manager.models.identity import Tenant, User

VISIBILITIES = ("private", "tenant", "global")
DEFAULT_VISIBILITY = "tenant"


class Owned(Keyed):
    """A resource in a tenant, made by somebody. ``id``: as clients call it; there is one in a tenant.

    A tenant with resources cannot be deleted. A user who made some can: they stay, made by nobody.
    """

    id: Mapped[str] = mapped_column(String(NAME_LENGTH))
    visibility: Mapped[str] = mapped_column(
        String(16), default=DEFAULT_VISIBILITY, server_default=DEFAULT_VISIBILITY
    )
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))
    creator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[UniqueConstraint, ...]:
        return (UniqueConstraint("tenant_id", "id"),)

    @declared_attr
    @classmethod
    def tenant(cls) -> Mapped[Tenant]:
        """The tenant, read together with the row."""
        return relationship(Tenant, lazy="joined", innerjoin=True)

    @declared_attr
    @classmethod
    def creator(cls) -> Mapped[User | None]:
        """The user, read together with the row."""
        return relationship(User, lazy="joined")

    @property
    def tenant_name(self) -> str:
        """As clients read it."""
        return self.tenant.name

    @property
    def created_by(self) -> str | None:
        """As clients read it."""
        return self.creator.username if self.creator else None
