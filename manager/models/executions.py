"""Executions of workflows, what they are made of, and what they said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from manager.models.base import NAME_LENGTH, Base, Keyed
from manager.models.owned import Owned

ACTIVE_STATUSES = ("pending", "started", "cancelling", "force_cancelling", "kill_cancelling")
WAITING_STATUSES = ("queued", "scheduled")
END_STATUSES = ("terminated", "failed", "cancelled")

EVENT_TYPE, LOG_TYPE = "cloudify_event", "cloudify_log"


class Execution(Owned, Base):
    """A run of a workflow. Without a deployment it works on the manager itself.

    ``deployment_id`` and ``blueprint_id`` are names, kept beside the reference: what deleted a deployment is
    still found by its name when the deployment, with all its other executions, is gone.

    ``resumable``: whether the workflow can go on where it stood; None: not known yet. ``term``: of the leader
    that works on it, or did so last. ``engine``: the process that works on it; it holds the advisory lock of
    this name while it lives (see ``manager.workflows``). ``is_dry_run``, ``queue`` and the others are as they
    were asked for; ``timeout_s``: it is stopped when it takes longer.
    """

    __tablename__ = "executions"

    deployment_pk: Mapped[int | None] = mapped_column(
        ForeignKey("deployments.pk", ondelete="CASCADE"), index=True
    )
    deployment_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH), index=True)
    blueprint_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    workflow_id: Mapped[str] = mapped_column(String(NAME_LENGTH))
    status: Mapped[str] = mapped_column(String(32), index=True)
    parameters: Mapped[dict[str, Any]]
    error: Mapped[str | None]
    is_system_workflow: Mapped[bool] = mapped_column(default=False, server_default="false")
    is_dry_run: Mapped[bool] = mapped_column(default=False, server_default="false")
    allow_custom_parameters: Mapped[bool] = mapped_column(default=False, server_default="false")
    force: Mapped[bool] = mapped_column(default=False, server_default="false")
    queue: Mapped[bool] = mapped_column(default=False, server_default="false")
    wait_after_fail: Mapped[int] = mapped_column(default=0, server_default="0")  # seconds
    resumable: Mapped[bool | None]
    resume: Mapped[bool] = mapped_column(default=False, server_default="false")
    term: Mapped[int | None]
    engine: Mapped[str | None] = mapped_column(String(64), index=True)
    timeout_s: Mapped[float | None]
    total_operations: Mapped[int | None]
    finished_operations: Mapped[int | None]
    scheduled_for: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class ExecutionToken(Base):
    """What an agent shows for an operation of an execution, as long as that is active: its digest."""

    __tablename__ = "execution_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    execution_pk: Mapped[int] = mapped_column(ForeignKey("executions.pk", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Event(Keyed, Base):
    """An event or a log line of an execution: ``type`` tells which.

    ``pk`` grows, and is what makes the order total when several have one ``reported_timestamp``. The names
    of deployment and execution are kept beside the references: this is the longest table, and is read by them
    while a workflow runs.
    """

    __tablename__ = "events"

    type: Mapped[str] = mapped_column(String(16))
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))
    execution_pk: Mapped[int | None] = mapped_column(
        ForeignKey("executions.pk", ondelete="CASCADE"), index=True
    )
    execution_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    deployment_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    blueprint_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    workflow_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    node_name: Mapped[str | None]
    node_instance_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    source_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    target_id: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    operation: Mapped[str | None]
    message: Mapped[str]
    event_type: Mapped[str | None]
    error_causes: Mapped[list[Any] | None]
    level: Mapped[str | None] = mapped_column(String(16))
    logger: Mapped[str | None]
    timestamp: Mapped[datetime]
    reported_timestamp: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


# Each way in which pages of events are read, in their order.
Index("events_of_execution", Event.execution_id, Event.reported_timestamp, Event.pk)
Index("events_of_deployment", Event.deployment_id, Event.reported_timestamp, Event.pk)
Index("events_of_tenant", Event.tenant_id, Event.reported_timestamp, Event.pk)


class TasksGraph(Keyed, Base):
    """The tasks of an execution, as they were planned: a resume goes on with them.

    ``state``: building, running, succeeded, failed or cancelled.
    """

    __tablename__ = "tasks_graphs"
    __table_args__ = (UniqueConstraint("execution_pk", "name"),)

    id: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    execution_pk: Mapped[int] = mapped_column(ForeignKey("executions.pk", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    state: Mapped[str] = mapped_column(String(32), default="building", server_default="building")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    execution: Mapped[Execution] = relationship(lazy="joined", innerjoin=True)


class Operation(Keyed, Base):
    """One task of a graph, and how far it has come.

    ``resumable``: whether it may run again after it was interrupted; None: it has not begun.
    """

    __tablename__ = "operations"

    id: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    tasks_graph_pk: Mapped[int] = mapped_column(ForeignKey("tasks_graphs.pk", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    state: Mapped[str] = mapped_column(String(32))
    type: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    dependencies: Mapped[list[Any]]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    retries: Mapped[int] = mapped_column(default=0, server_default="0")
    resumable: Mapped[bool | None]
    agent_name: Mapped[str | None]
    manager_name: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    tasks_graph: Mapped[TasksGraph] = relationship()
