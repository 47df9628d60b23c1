"""Agents, snapshots, and the state of the manager as a whole."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from manager.models.base import NAME_LENGTH, Base, Keyed
from manager.models.owned import Owned
from manager.models.resources import NodeInstance


class Agent(Keyed, Base):
    """A program of ours on another machine; it belongs to the instance of the host that it runs on.

    ``members``: those of the cluster that it has said it knows.
    """

    __tablename__ = "agents"

    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    node_instance_pk: Mapped[int] = mapped_column(
        ForeignKey("node_instances.pk", ondelete="CASCADE"), index=True
    )
    ip: Mapped[str | None]
    install_method: Mapped[str | None]
    system: Mapped[str | None]
    version: Mapped[str | None]
    state: Mapped[str] = mapped_column(String(32))
    members: Mapped[list[Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime | None]

    node_instance: Mapped[NodeInstance] = relationship(lazy="joined", innerjoin=True)


class Snapshot(Owned, Base):
    """A copy of the manager's data. ``storage_id`` is None until its file is there (``creating``)."""

    __tablename__ = "snapshots"

    status: Mapped[str] = mapped_column(String(32))
    error: Mapped[str | None]
    storage_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    archive_sha256: Mapped[str | None] = mapped_column(String(64))
    archive_bytes: Mapped[int | None] = mapped_column(BigInteger)


class Maintenance(Base):
    """The maintenance mode: there is one row, or none when it is off."""

    __tablename__ = "maintenance"
    __table_args__ = (CheckConstraint("id = 1", name="maintenance_is_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1, autoincrement=False)
    status: Mapped[str] = mapped_column(String(32))
    activation_requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    activated_at: Mapped[datetime | None]
    requested_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
