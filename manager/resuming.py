"""Setting an execution back so that it goes on where it stood: what has failed is to be tried anew."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from manager.models import Execution, Operation, TasksGraph
from manager.workflows.model import UNDER_WAY, GraphState, OperationState, TaskType

FAILED = frozenset({OperationState.FAILED})
NOT_BEGUN = frozenset({OperationState.SENDING, OperationState.SENT})
UNFINISHED = FAILED | UNDER_WAY | {OperationState.RESCHEDULED}
CONTAINER = "containing_subgraph"

Changes = dict[str, Any]


def reset(session: Session, execution: Execution, *, everything: bool) -> None:
    """Set the execution and its operations back; its row is locked, and no engine works on it.

    ``everything``: operations that were under way as well, although nobody knows how far they came. The
    engine takes the execution up when it is told (``executing.wake``).
    """
    # What never came to its workflow function has nothing to go on with: it begins.
    execution.resume = execution.resumable is not None
    execution.status = "started" if execution.resume else "pending"
    execution.engine, execution.error, execution.ended_at = None, None, None
    execution.started_at = func.now()  # Its timeout begins anew.
    session.flush()
    broken = (GraphState.FAILED, GraphState.CANCELLED)
    graphs = select(TasksGraph.pk).where(TasksGraph.execution_pk == execution.pk)
    for graph_pk in session.scalars(graphs.order_by(TasksGraph.pk)).all():
        _reset_graph(session, graph_pk, UNFINISHED if everything else FAILED)
    session.execute(
        update(TasksGraph)
        .where(TasksGraph.execution_pk == execution.pk, TasksGraph.state.in_(broken))
        .values(state=GraphState.RUNNING)
    )


def _reset_graph(session: Session, graph_pk: int, states: frozenset[OperationState]) -> None:
    mine = Operation.tasks_graph_pk == graph_pk
    wanted = Operation.state.in_(states | NOT_BEGUN)
    if session.scalar(select(Operation.pk).where(mine, wanted).limit(1)) is None:
        return
    operations = session.scalars(select(Operation).where(mine).with_for_update()).all()
    chosen = [it for it in operations if it.state in states or _has_not_begun(it)]
    names = _new_names(chosen)
    for operation in chosen:
        operation.state, operation.retries = OperationState.PENDING, 0
        operation.result = operation.error = operation.resumable = None
        operation.started_at = operation.ended_at = None
    _rename(operations, names)
    session.flush()


def _has_not_begun(operation: Operation) -> bool:
    """Whether it was sent to our own worker, which stores it before it begins: the row is locked.

    Its message may still lie there, or have been revoked. Under a new name neither matters.
    """
    on_agent = operation.parameters.get("executor") == "agent"
    return operation.state in NOT_BEGUN and operation.type == TaskType.REMOTE and not on_agent


def _new_names(chosen: Sequence[Operation]) -> dict[str, str]:
    """New ids for what was sent to somebody. An operation and the number of its attempt name a message.

    The numbers begin anew: a worker that was told never to begin an attempt, or an agent that has answered
    it, may not take the new one for it. Nor may an answer that is late count for it.
    """
    return {it.id: str(uuid.uuid4()) for it in chosen if it.type == TaskType.REMOTE}


def _rename(operations: Sequence[Operation], names: Mapping[str, str]) -> None:
    for it in operations:
        it.id = names.get(it.id, it.id)
        if not names.keys().isdisjoint(it.dependencies):
            it.dependencies = [names.get(name, name) for name in it.dependencies]
        container = str(it.parameters.get(CONTAINER))
        if container in names:
            it.parameters = it.parameters | {CONTAINER: names[container]}
