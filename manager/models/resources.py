"""Blueprints, the deployments that were made of them, and what these consist of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from manager.models.base import NAME_LENGTH, Base, Keyed
from manager.models.owned import Owned


class Blueprint(Owned, Base):
    """An archive that was uploaded, and what the parser made of it.

    ``storage_id``: the last part of the folder of its files (see ``manager.files``). ``archive_sha256`` in
    hexadecimal digits. ``plan`` is read only when it is asked for: it can be large.
    """

    __tablename__ = "blueprints"

    storage_id: Mapped[str] = mapped_column(String(32), unique=True)
    archive_sha256: Mapped[str] = mapped_column(String(64))
    archive_name: Mapped[str]
    archive_bytes: Mapped[int] = mapped_column(BigInteger)
    main_file_name: Mapped[str]
    description: Mapped[str | None]
    plan: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    updated_at: Mapped[datetime | None]


class Deployment(Owned, Base):
    """A blueprint with its inputs, ready to be installed. A blueprint that has some cannot be deleted."""

    __tablename__ = "deployments"

    blueprint_pk: Mapped[int] = mapped_column(ForeignKey("blueprints.pk"), index=True)
    description: Mapped[str | None]
    inputs: Mapped[dict[str, Any]]
    outputs: Mapped[dict[str, Any]]
    capabilities: Mapped[dict[str, Any]]
    workflows: Mapped[dict[str, Any]]
    groups: Mapped[dict[str, Any]]
    scaling_groups: Mapped[dict[str, Any]]
    policy_types: Mapped[dict[str, Any]]
    policy_triggers: Mapped[dict[str, Any]]
    labels: Mapped[list[Any]]
    site_name: Mapped[str | None]
    updated_at: Mapped[datetime | None]

    blueprint: Mapped[Blueprint] = relationship(lazy="joined", innerjoin=True)

    @property
    def blueprint_id(self) -> str:
        """As clients read it."""
        return self.blueprint.id


class Node(Keyed, Base):
    """A node of a deployment's plan: ``id`` is its name in the blueprint."""

    __tablename__ = "nodes"
    __table_args__ = (UniqueConstraint("deployment_pk", "id"),)

    id: Mapped[str] = mapped_column(String(NAME_LENGTH))
    deployment_pk: Mapped[int] = mapped_column(ForeignKey("deployments.pk", ondelete="CASCADE"))
    type: Mapped[str]
    type_hierarchy: Mapped[list[Any]]
    properties: Mapped[dict[str, Any]]
    operations: Mapped[dict[str, Any]]
    relationships: Mapped[list[Any]]
    plugins: Mapped[list[Any]]
    plugins_to_install: Mapped[list[Any]]
    host_id: Mapped[str | None]
    number_of_instances: Mapped[int]
    planned_number_of_instances: Mapped[int]
    deploy_number_of_instances: Mapped[int]
    min_number_of_instances: Mapped[int]
    max_number_of_instances: Mapped[int]  # -1: without a limit

    deployment: Mapped[Deployment] = relationship(lazy="joined", innerjoin=True)


class NodeInstance(Keyed, Base):
    """One instance of a node: ``id`` is unique in the tenant.

    ``version`` counts the updates: one that was made from an older version is refused.
    """

    __tablename__ = "node_instances"
    __table_args__ = (UniqueConstraint("tenant_id", "id"),)

    id: Mapped[str] = mapped_column(String(NAME_LENGTH))
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))
    node_pk: Mapped[int] = mapped_column(ForeignKey("nodes.pk", ondelete="CASCADE"), index=True)
    index: Mapped[int]
    state: Mapped[str] = mapped_column(default="uninitialized", server_default="uninitialized")
    runtime_properties: Mapped[dict[str, Any]]
    system_properties: Mapped[dict[str, Any]]
    relationships: Mapped[list[Any]]
    scaling_groups: Mapped[list[Any]]
    host_id: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime | None]

    node: Mapped[Node] = relationship(lazy="joined", innerjoin=True)
