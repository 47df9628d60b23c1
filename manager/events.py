"""The events and log lines of executions, written so that a client can page through them by number.

Two writers of one execution take turns until their commits, and its times never go back, whatever the clock
of a new leader says: so what a client has read stays where it was, and what is new comes behind it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import func, text
from sqlalchemy.orm import Session

from manager.models import EVENT_TYPE, LOG_TYPE, Deployment, Execution

if TYPE_CHECKING:
    # Whoever only writes events needs nothing of the REST service.
    from manager.tenancy import Scope

LOCKS = 1
"""The class of the advisory locks on the events of an execution."""

LOGGER = "cloudify.manager"


class About(Protocol):
    """The execution that lines are about: a row of it, or what is known of one."""

    @property
    def pk(self) -> Any: ...
    @property
    def id(self) -> Any: ...
    @property
    def tenant_id(self) -> Any: ...
    @property
    def deployment_id(self) -> Any: ...
    @property
    def blueprint_id(self) -> Any: ...
    @property
    def workflow_id(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Line:
    """What happened. ``event_type`` of an event, or ``level`` of a log line: one of both.

    The rest says where, for those who read: the node and its instance, or the two ends of a relationship.
    """

    message: str
    event_type: str | None = None
    level: str | None = None
    error_causes: list[Any] | None = None
    node_name: str | None = None
    node_instance_id: str | None = None
    source_id: str | None = None
    target_id: str | None = None
    operation: str | None = None
    logger: str | None = None

    @property
    def type(self) -> str:
        """Which of the two it is."""
        return EVENT_TYPE if self.event_type else LOG_TYPE

    def row(self, execution: About) -> dict[str, Any]:
        """As it is stored, but for its times."""
        told = {name: getattr(self, name) for name in LINE_COLUMNS}
        told["logger"] = self.logger or (LOGGER if self.level else None)
        return told | {
            "type": self.type,
            "tenant_id": execution.tenant_id,
            "execution_pk": execution.pk,
            "execution_id": execution.id,
            "deployment_id": execution.deployment_id,
            "blueprint_id": execution.blueprint_id,
            "workflow_id": execution.workflow_id,
        }


LINE_COLUMNS = tuple(Line.__dataclass_fields__)
COLUMNS = {
    "type": "text",
    "tenant_id": "bigint",
    "execution_pk": "bigint",
    **dict.fromkeys(("execution_id", "deployment_id", "blueprint_id", "workflow_id"), "text"),
    **{name: "jsonb" if name == "error_causes" else "text" for name in LINE_COLUMNS},
}

_TYPED = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())

LOCK = text(
    "SELECT pg_advisory_xact_lock(:class, key) FROM unnest(CAST(:keys AS int[])) AS key ORDER BY key"
).bindparams(**{"class": LOCKS})

WRITE = text(
    f"INSERT INTO events ({', '.join(COLUMNS)}, timestamp, reported_timestamp) "  # noqa: S608  names of columns
    f"SELECT {', '.join(f'line.{name}' for name in COLUMNS)}, clock_timestamp(), greatest(clock_timestamp(), "
    "(SELECT max(e.reported_timestamp) FROM events e WHERE e.execution_id = line.execution_id)) "
    f"FROM ROWS FROM (jsonb_to_recordset(CAST(:lines AS jsonb)) AS ({_TYPED})) "
    f"WITH ORDINALITY AS line ({', '.join(COLUMNS)}, number) ORDER BY number"
)


def started(execution: About) -> Line:
    """It begins."""
    return Line(f"Starting '{execution.workflow_id}' workflow execution", "workflow_started")


def resumed(execution: About) -> Line:
    """It was interrupted, and goes on where it stood."""
    return Line(f"Resuming '{execution.workflow_id}' workflow execution", "workflow_resumed")


def succeeded(execution: About) -> Line:
    """It has done what it should. Waiting clients wait for this, or for the next."""
    return Line(f"'{execution.workflow_id}' workflow execution succeeded", "workflow_succeeded")


def failed(execution: About, error: str) -> Line:
    """It has not."""
    return Line(
        f"'{execution.workflow_id}' workflow execution failed: {error}",
        "workflow_failed",
        error_causes=[{"message": error, "type": "Error", "traceback": ""}],
    )


def cancelled(execution: About) -> Line:
    """It was ended before it had done what it should, because somebody asked for that."""
    return Line(f"'{execution.workflow_id}' workflow execution cancelled", "workflow_cancelled")


def write(session: Session, execution: About, *lines: Line) -> None:
    """Add lines behind those that there are; other writers of this execution wait for the commit."""
    write_rows(session, [line.row(execution) for line in lines])


def write_rows(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """The same for lines of several executions (``Line.row``), in two statements however many they are.

    What else is locked in the transaction is to be locked before: all writers then wait in one order.
    """
    if not rows:
        return
    session.flush()
    # The second statement sees what those have committed for whom the first one waited.
    session.execute(LOCK, {"keys": sorted({row["execution_pk"] % 2147483647 for row in rows})})
    session.execute(WRITE, {"lines": json.dumps(rows)})


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
