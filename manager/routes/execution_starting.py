"""Starting executions: what is asked for is checked, written down once, and the engine is told."""

from __future__ import annotations

import re
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Request
from pydantic import BeforeValidator, Field
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from manager import executing, tenancy
from manager.dependencies import Database
from manager.errors import Conflict, NonexistentWorkflow
from manager.listing import MAXIMUM, parse_time
from manager.models import END_STATUSES, NAME_LENGTH, Deployment, Execution
from manager.patience import write_slot
from manager.repeats import REPEATED_WITHIN, Answered
from manager.routes.executions import shape
from manager.routes.json_route import Body, Document, Text, router
from manager.slots import WriteSlot
from manager.storage import Storage
from manager.tenancy import InTenant, Scope
from manager.workflows import parameters

execution_starting = router()

WAIT_AFTER_FAIL_S = 600
LONGEST_TIMEOUT_S = 10 * 365 * 86400.0

ENDED_REPEATED_WITHIN = timedelta(minutes=1)
"""Who starts a workflow again after it has ended wants it to run again, unless it ended that quickly."""

COMPACT_TIME = re.compile(r"\d{12}[+-]\d{4}")
TIME_FORMAT = (
    "expected a time in the future as YYYYMMDDHHMM+HHMM or YYYYMMDDHHMM-HHMM, i.e: 201801012230-0500 "
    "(Jan-01-18 10:30pm EST), or as 2018-01-01T22:30:00-05:00"
)


def _future(value: Any) -> datetime | None:
    """The time that is meant; None: at once. Raises ``ValueError`` for one that is none, or has passed."""
    if value is None:
        return None
    text = str(value)[:NAME_LENGTH]
    try:
        compact = COMPACT_TIME.fullmatch(text)
        moment = datetime.strptime(text, "%Y%m%d%H%M%z") if compact else parse_time(text)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time: {TIME_FORMAT}") from None
    if moment <= datetime.now(UTC):
        raise ValueError(f"{text!r} has already passed: {TIME_FORMAT}")
    return moment


Named = Annotated[Text, Field(min_length=1, max_length=NAME_LENGTH)]


class NewExecution(Body):
    """The body of ``POST /executions``.

    ``id``: chosen by the client, so that a request that it repeats is known for certain. ``timeout_s``: it is
    stopped, and has failed, when it takes longer.
    """

    deployment_id: Named
    workflow_id: Named
    parameters: Document | None = None
    allow_custom_parameters: bool = False
    force: bool = False
    dry_run: bool = False
    queue: bool = False
    scheduled_time: Annotated[datetime | None, BeforeValidator(_future)] = None
    wait_after_fail: Annotated[int, Field(ge=0, le=MAXIMUM)] = WAIT_AFTER_FAIL_S
    timeout_s: Annotated[float, Field(gt=0, le=LONGEST_TIMEOUT_S)] | None = None
    id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """One start on its way. ``key``: the id of the execution, if it becomes a new one."""

    new: NewExecution
    scope: Scope
    storage: Storage
    answered: Answered
    key: str

    def commit(self, slot: WriteSlot) -> dict[str, Any]:
        """Write the execution down, or find the one that the same request has made before."""
        with self.storage.writing(slot) as session:
            executing.enter(session)
            deployment = tenancy.find_own(session, self.scope, Deployment, self.new.deployment_id)
            columns = self._columns(deployment)
            if (there := self._repeated(session, columns)) is not None:
                return shape(there)
            execution = Execution(id=self.key, status=executing.SCHEDULED, **columns)
            execution.visibility, execution.blueprint_id = deployment.visibility, deployment.blueprint_id
            session.add(execution)
            session.flush()
            if execution.scheduled_for is None:
                execution.status = executing.admit(session, execution, waits=self.new.queue)
                session.flush()
            executing.wake(session, execution.id)
            return shape(execution)

    def _columns(self, deployment: Deployment) -> dict[str, Any]:
        """What the request says. A repeat of it says the same."""
        new, workflow = self.new, deployment.workflows.get(self.new.workflow_id)
        if workflow is None:
            raise NonexistentWorkflow(
                f"Workflow {new.workflow_id} does not exist in deployment {deployment.id}. "
                f"It has: {', '.join(sorted(deployment.workflows))}"
            )
        given = parameters.merge(
            new.workflow_id,
            workflow.get("parameters") or {},
            new.parameters or {},
            allow_custom=new.allow_custom_parameters,
        )
        return {
            "tenant_id": self.scope.tenant_id,
            "creator_id": self.scope.caller.user_id,
            "deployment_pk": deployment.pk,
            "deployment_id": deployment.id,
            "workflow_id": new.workflow_id,
            "parameters": given,
            "allow_custom_parameters": new.allow_custom_parameters,
            "force": new.force,
            "is_dry_run": new.dry_run,
            "queue": new.queue,
            "scheduled_for": new.scheduled_time,
            "wait_after_fail": new.wait_after_fail,
            "timeout_s": new.timeout_s,
        }

    def _repeated(self, session: Session, columns: dict[str, Any]) -> Execution | None:
        if self.new.id is not None:
            return self._of_that_id(session, columns)
        age = func.now() - Execution.created_at
        going_on = Execution.status.not_in(END_STATUSES)
        alike = select(Execution.id).where(
            *(getattr(Execution, name).is_not_distinct_from(value) for name, value in columns.items()),
            age <= REPEATED_WITHIN,
            or_(going_on, age <= ENDED_REPEATED_WITHIN),
        )
        for identifier in session.scalars(alike.order_by(Execution.pk)):
            if identifier not in self.answered:
                return tenancy.find(session, self.scope, Execution, identifier)
        return None

    def _of_that_id(self, session: Session, columns: dict[str, Any]) -> Execution | None:
        there = session.scalar(select(Execution).where(Execution.id == self.key))
        if there is None:
            return None
        if any(getattr(there, name) != value for name, value in columns.items()):
            raise Conflict(f"Execution with ID `{self.key}` already exists, and is another one")
        return there


@execution_starting.post("/executions", status_code=201)
async def start_execution(
    request: Request, new: NewExecution, scope: InTenant, storage: Database
) -> dict[str, Any]:
    """Start a workflow. Repeating a request whose answer was lost starts it once."""
    scope.must_execute()
    answered: Answered = request.app.state.answered
    key = str(new.id or uuid.uuid4())
    # Noted before it can be seen: another client's start of the same is no repeat of this one.
    answered.note(key)
    told = None
    try:
        async with asynccontextmanager(write_slot)(request) as slot:
            start = Start(new, scope, storage, answered, key)
            answer = await anyio.to_thread.run_sync(start.commit, slot)
        if not await request.is_disconnected():
            told = answer["id"]
            answered.note(told)
    finally:
        if told != key:
            answered.forget(key)
    return answer
