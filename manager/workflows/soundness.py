"""Graphs that can be carried out at all. They can be changed over REST while no engine works on them.

One engine carries out the graphs of everybody: it may not stumble over one that somebody has spoilt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from manager.workflows.model import Task, TaskType
from manager.workflows.sending import message_of

NEEDED: Mapping[TaskType, tuple[str, ...]] = {
    TaskType.SET_STATE: ("node_instance_id", "state"),
    TaskType.NODE_EVENT: ("node_instance_id", "event"),
    TaskType.WORKFLOW_EVENT: ("event",),
    TaskType.UPDATE_INSTANCES: ("counts",),
}
"""The parameters without which the engine cannot do its own tasks."""


class Unsound(Exception):
    """A graph cannot be carried out; the text says why."""


def check(tasks: Iterable[Task], execution_id: str) -> None:
    """Raise ``Unsound`` for tasks, of one graph of that execution, that nobody could carry out."""
    tasks = list(tasks)
    subgraphs = {task.id for task in tasks if task.type is TaskType.SUBGRAPH}
    for task in tasks:
        missing = [name for name in NEEDED.get(task.type, ()) if name not in task.parameters]
        if missing:
            raise Unsound(f"The stored task `{task.name}` lacks {', '.join(missing)}.")
        if task.parent is not None and task.parent not in subgraphs:
            raise Unsound(f"The stored task `{task.name}` is in a subgraph that is not there.")
        if task.type is TaskType.REMOTE and not task.ended:
            _check_message(task, execution_id)


def _check_message(task: Task, execution_id: str) -> None:
    try:
        context = message_of(task).context
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise Unsound(f"The stored task `{task.name}` cannot be sent to anybody: {error!r}.") from error
    if context.get("execution_id") != execution_id:
        # It would be given a token for the other one, with the rights of whoever has started that.
        raise Unsound(f"The stored task `{task.name}` belongs to another execution.")
