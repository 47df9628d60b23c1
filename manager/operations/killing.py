"""Ending operations that run on the manager, with everything that they have started."""

from __future__ import annotations

from collections.abc import Iterable

from celery import Celery

COMMAND = "kill_operations"
"""The worker's command; it is defined in ``manager.operations.commands``."""


def kill(app: Celery, task_ids: Iterable[str]) -> None:
    """Have the manager's worker end these attempts (``message.task_id``), or never begin them.

    Returns without waiting. One that was running is answered ``failed``; one that had not begun is not.
    Raises what kombu does when the broker cannot be reached.
    """
    ids = list(task_ids)
    if ids:
        app.control.broadcast(COMMAND, arguments={"task_ids": ids}, reply=False)
