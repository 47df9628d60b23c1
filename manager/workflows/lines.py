"""What people read about the tasks of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from manager.events import Line
from manager.operations.lines import Speaker
from manager.operations.message import Answer
from manager.workflows.model import OperationState, Task, TaskType

Json = Mapping[str, Any]

ENDS = {
    OperationState.SUCCEEDED: ("task_succeeded", "Task succeeded '{}'"),
    OperationState.FAILED: ("task_failed", "Task failed '{}'"),
    OperationState.RESCHEDULED: ("task_rescheduled", "Task rescheduled '{}'"),
}


def sending(task: Task, *, dry_run: bool = False) -> list[Line]:
    """An operation is about to be sent, or would be."""
    text = f"Sending task '{task.name}'{_attempt(task)}{' [dry run]' if dry_run else ''}"
    return _about(task, text, "sending_task")


def answered(task: Task, answer: Answer) -> list[Line]:
    """An attempt has ended."""
    event_type, text = ENDS[task.state]
    told = text.format(task.name) + (f" -> {answer.error}" if answer.error else "")
    return _about(task, told, event_type, answer.causes or None)


def interrupted(task: Task) -> list[Line]:
    """It has failed because nobody knows how far it came."""
    return _about(task, f"Task failed '{task.name}' -> {task.error}", "task_failed")


def done(task: Task) -> list[Line]:
    """A task that the engine did itself."""
    parameters = task.parameters
    if task.type is TaskType.NODE_EVENT:
        instance = parameters["node_instance_id"]
        told = Line(
            str(parameters["event"]),
            "workflow_node_event",
            node_instance_id=instance,
            node_name=parameters.get("node_name"),
        )
        return [told]
    if task.type is TaskType.WORKFLOW_EVENT:
        return [Line(str(parameters["event"]), parameters.get("event_type") or "workflow_stage")]
    return []


def _about(task: Task, text: str, event_type: str, causes: list[Any] | None = None) -> list[Line]:
    parameters = task.parameters
    if parameters.get("send_task_events") is False:
        return []
    speaker = Speaker.of(parameters.get("context", {}))
    return [Line(text, event_type, error_causes=causes, **asdict(speaker))]


def _attempt(task: Task) -> str:
    if not task.retries:
        return ""
    limit = task.parameters.get("max_retries", 0)
    return f" [retry {task.retries}]" if limit < 0 else f" [retry {task.retries}/{limit}]"
