"""The worker's command with which operations are killed (``killing.kill`` sends it)."""

from __future__ import annotations

from typing import Any

from celery.worker import state as worker_state
from celery.worker.control import control_command

from manager.operations.killing import COMMAND
from manager.operations.request import OperationRequest


@control_command(name=COMMAND)
def kill_operations(state: Any, task_ids: list[str]) -> dict[str, int]:  # noqa: ARG001  # celery's signature
    """End what runs, and never begin what does not run yet."""
    wanted = set(task_ids)
    worker_state.revoked.update(wanted)
    found = [
        request
        for request in list(worker_state.requests.values())
        if request.id in wanted and isinstance(request, OperationRequest)
    ]
    for request in found:
        request.kill()
    return {"killed": len(found)}
