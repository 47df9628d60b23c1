"""What can be asked of an execution that there is: to end, or to go on where it stood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from manager import events, executing, resuming, tenancy
from manager.dependencies import Database, Slot
from manager.errors import Conflict
from manager.models import WAITING_STATUSES, Deployment, Execution
from manager.routes.executions import shape
from manager.routes.json_route import Body, router
from manager.tenancy import InTenant, Scope
from manager.workflows.model import ENGINES

execution_actions = router()

PENDING, STARTED, CANCELLED = "pending", "started", "cancelled"
RESUMABLE_STATUSES = (STARTED, "failed", CANCELLED)


class Action(StrEnum):
    """As clients call them."""

    CANCEL = "cancel"
    FORCE_CANCEL = "force-cancel"
    KILL = "kill"
    RESUME = "resume"
    FORCE_RESUME = "force-resume"


@dataclass(frozen=True, slots=True)
class Ending:
    """A way to end an execution: the status that tells the engine, and those in which it can be asked for."""

    status: str
    possible_in: tuple[str, ...]


ENDINGS: Mapping[Action, Ending] = {
    Action.CANCEL: Ending("cancelling", (PENDING, STARTED)),
    Action.FORCE_CANCEL: Ending("force_cancelling", (PENDING, STARTED, "cancelling")),
    Action.KILL: Ending("kill_cancelling", (PENDING, STARTED, "cancelling", "force_cancelling")),
}
"""A gentle way can be followed by a rougher one, not the other way round."""


class Change(Body):
    """The body of ``POST /executions/ID``."""

    action: Action


@execution_actions.post("/executions/{identifier}")
def change_execution(
    identifier: str, change: Change, scope: InTenant, storage: Database, slot: Slot
) -> dict[str, Any]:
    """End an execution, or let it go on."""
    scope.must_execute()
    with storage.writing(slot) as session:
        ending = ENDINGS.get(change.action)
        if ending is None:
            # Whoever begins something, or deletes a deployment, locks in this order.
            executing.enter(session)
            _lock_deployment(session, scope, identifier)
        execution = _find(session, scope, identifier, change.action)
        if ending is None:
            _resume(session, execution, change.action)
        else:
            _end(session, execution, change.action, ending)
        session.flush()
        executing.wake(session, execution.id)
        return shape(execution)


def _lock_deployment(session: Session, scope: Scope, identifier: str) -> None:
    own = select(Execution.deployment_pk).where(
        Execution.tenant_id == scope.tenant_id, Execution.id == identifier.replace("\0", "")
    )
    session.execute(select(Deployment.pk).where(Deployment.pk == own.scalar_subquery()).with_for_update())


def _find(session: Session, scope: Scope, identifier: str, action: Action) -> Execution:
    execution = tenancy.find_own(session, scope, Execution, identifier)
    if execution.is_system_workflow:
        raise Conflict(
            f"Cannot {action} execution: `{identifier}`: {execution.workflow_id} works on the manager "
            "itself, and ends by itself, with all of it done or nothing"
        )
    return execution


def _end(session: Session, execution: Execution, action: Action, ending: Ending) -> None:
    if _nobody_began(execution):
        execution.status, execution.ended_at = CANCELLED, func.now()
        events.write(session, execution, events.cancelled(execution))
        return
    if execution.status not in ending.possible_in:
        raise _wrong_state(execution, action)
    execution.status = ending.status


def _nobody_began(execution: Execution) -> bool:
    """Whether there is no engine that would have to be asked. Its row is locked: none can begin now."""
    unclaimed = execution.engine is None and not execution.resume
    return execution.status in WAITING_STATUSES or (execution.status == PENDING and unclaimed)


def _resume(session: Session, execution: Execution, action: Action) -> None:
    if execution.status not in RESUMABLE_STATUSES:
        raise _wrong_state(execution, action)
    if execution.status == STARTED and _is_worked_on(session, execution):
        raise Conflict(f"Cannot {action} execution: `{execution.id}`: it is being worked on")
    if execution.resumable is False:
        raise Conflict(
            f"Cannot {action} execution: `{execution.id}`: workflow not resumable: {execution.workflow_id}"
        )
    executing.admit(session, execution, waits=False)
    resuming.reset(session, execution, everything=action is Action.FORCE_RESUME)


def _is_worked_on(session: Session, execution: Execution) -> bool:
    """Whether the engine lives that has it: it holds the lock of its name (migration 0003)."""
    if execution.engine is None:
        return False
    free = text("SELECT pg_try_advisory_xact_lock_shared(:class, hashtext(:engine) & 2147483647)")
    return not session.scalar(free, {"class": ENGINES, "engine": execution.engine})


def _wrong_state(execution: Execution, action: Action) -> Conflict:
    return Conflict(f"Cannot {action} execution: `{execution.id}` in state: `{execution.status}`")
