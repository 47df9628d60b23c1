"""The events and log lines of executions, written so that a client can page through them by number.

Two writers of one execution take turns until their commits, and its times never go back, whatever the clock
of a new leader says: so what a client has read stays where it was, and what is new comes behind it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from manager.models import EVENT_TYPE, LOG_TYPE, Deployment, Event, Execution
from manager.tenancy import Scope

LOCKS = 1
"""The class of the advisory locks on the events of an execution."""

LOGGER = "cloudify.manager"


@dataclass(frozen=True, slots=True)
class Line:
    """What happened. ``event_type`` of an event, or ``level`` of a log line: one of both."""

    message: str
    event_type: str | None = None
    level: str | None = None
    error_causes: list[Any] | None = None

    @property
    def type(self) -> str:
        """Which of the two it is."""
        return EVENT_TYPE if self.event_type else LOG_TYPE


def started(execution: Execution) -> Line:
    """It begins."""
    return Line(f"Starting '{execution.workflow_id}' workflow execution", "workflow_started")


def succeeded(execution: Execution) -> Line:
    """It has done what it should. Waiting clients wait for this, or for the next."""
    return Line(f"'{execution.workflow_id}' workflow execution succeeded", "workflow_succeeded")


def failed(execution: Execution, error: str) -> Line:
    """It has not."""
    return Line(
        f"'{execution.workflow_id}' workflow execution failed: {error}",
        "workflow_failed",
        error_causes=[{"message": error, "type": "Error", "traceback": ""}],
    )


def write(session: Session, execution: Execution, *lines: Line) -> None:
    """Add lines behind those that there are; other writers of this execution wait for the commit."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(:class, (:pk % 2147483647)::int)"),
        {"class": LOCKS, "pk": execution.pk},
    )
    last = select(func.max(Event.reported_timestamp)).where(Event.execution_id == execution.id)
    reported = func.greatest(func.clock_timestamp(), last.scalar_subquery())
    for line in lines:
        session.execute(
            insert(Event).values(
                type=line.type,
                tenant_id=execution.tenant_id,
                execution_pk=execution.pk,
                execution_id=execution.id,
                deployment_id=execution.deployment_id,
                blueprint_id=execution.blueprint_id,
                workflow_id=execution.workflow_id,
                message=line.message,
                event_type=line.event_type,
                error_causes=line.error_causes,
                level=line.level,
                logger=LOGGER if line.level else None,
                timestamp=func.clock_timestamp(),
                reported_timestamp=reported,
            )
        )


def note_done(
    session: Session,
    scope: Scope,
    workflow_id: str,
    deployment: Deployment,
    *,
    deployment_pk: int | None,
) -> Execution:
    """The execution of what the manager does itself, within this transaction: it is over when it is seen.

    ``deployment_pk``: None when it is the deployment's end, which the execution outlives.
    """
    execution = Execution(
        id=str(uuid.uuid4()),
        tenant_id=deployment.tenant_id,
        creator_id=scope.caller.user_id,
        visibility=deployment.visibility,
        deployment_pk=deployment_pk,
        deployment_id=deployment.id,
        blueprint_id=deployment.blueprint_id,
        workflow_id=workflow_id,
        status="terminated",
        parameters={},
        started_at=func.now(),
        ended_at=func.now(),
    )
    session.add(execution)
    session.flush()
    write(session, execution, started(execution), succeeded(execution))
    return execution
