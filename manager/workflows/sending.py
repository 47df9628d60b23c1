"""Sends operations to whoever carries them out, and ends them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from celery import Celery

from manager.operations.killing import kill
from manager.operations.message import OPERATIONS, TASK, Message, agent_queue, task_id
from manager.workflows.model import Task


def message_of(task: Task) -> Message:
    """What is sent for an attempt at an operation."""
    parameters = task.parameters
    context = dict(parameters["context"])
    context["operation"] = {**context.get("operation", {}), "retry_number": task.retries}
    return Message(
        id=task.id,
        attempt=task.retries,
        context={**context, "task_id": task.id},
        kwargs=parameters.get("kwargs") or {},
        executor=parameters.get("executor") or "manager",
        timeout_s=parameters.get("timeout_s"),
        timeout_recoverable=bool(parameters.get("timeout_recoverable")),
    )


class Sender:
    """Publishes through one connection. Raises what kombu does when the broker cannot be reached."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, tasks: Sequence[Task]) -> None:
        """Send each of them once."""
        if not tasks:
            return
        with self._app.producer_pool.acquire(block=True) as producer:
            for task in tasks:
                message = message_of(task)
                self._app.send_task(
                    TASK,
                    args=[message.model_dump(mode="json")],
                    task_id=message.task_id,
                    queue=agent_queue(task.parameters["agent"]) if task.on_agent else OPERATIONS,
                    producer=producer,
                    ignore_result=True,
                    retry=False,
                )

    def kill(self, tasks: Iterable[Task]) -> None:
        """Have those ended that run on this manager, or wait to."""
        kill(self._app, [task_id(task.id, task.retries) for task in tasks if not task.on_agent])
