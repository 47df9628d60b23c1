"""Answers about operations whose execution nobody has taken up yet: whoever does will find them so."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from manager.models import ACTIVE_STATUSES, Execution, Operation, TasksGraph
from manager.operations.message import Answer
from manager.workflows import lines
from manager.workflows.model import OperationState, Task, TaskType
from manager.workflows.statements import KEEP


def keep(session: Session, answer: Answer) -> list[dict[str, Any]]:
    """Store one; gives the events that tell of it, which are to be written.

    There is none when it is known already, and when its execution has ended: nothing follows an end.
    """
    told = answer.model_dump(mode="json") | {"result": json.dumps(answer.result)}
    pk = session.scalar(KEEP, told)
    if pk is None:
        return []
    found = select(Operation.name, Operation.parameters, Operation.state, Execution).where(
        Operation.pk == pk,
        TasksGraph.pk == Operation.tasks_graph_pk,
        Execution.pk == TasksGraph.execution_pk,
    )
    name, parameters, state, execution = session.execute(found).one()
    if execution.status not in ACTIVE_STATUSES:
        return []
    task = Task(answer.id, name, TaskType.REMOTE, parameters, state=OperationState(state))
    return [line.row(execution) for line in lines.answered(task, answer)]
