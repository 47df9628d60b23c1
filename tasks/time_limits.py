"""A task that goes on for longer than it may ends its worker, which is started again at once.

Celery enforces a task's ``time_limit`` by killing the child of the pool that runs it. Our workers run their
tasks themselves: one task at a time needs no pool, and each child would cost a node 25 MiB and every task a
way through two pipes (``docs/adr/0012``). So the limit is kept by a timer of the interpreter's own, outside
of Python: it ends the process even when that hangs in a library, and the service's log tells where it hung.
"""

from __future__ import annotations

import faulthandler
from typing import Any

from celery.signals import task_postrun, task_prerun

STANDARD_ERROR = 2
"""By its number: Celery replaces Python's object for it."""


@task_prerun.connect
def begin(task: Any = None, **_: object) -> None:
    """Start the clock of the task's ``time_limit``, in seconds."""
    if task.time_limit:
        faulthandler.dump_traceback_later(task.time_limit, exit=True, file=STANDARD_ERROR)


@task_postrun.connect
def end(**_: object) -> None:
    """The task has come to its end in time."""
    faulthandler.cancel_dump_traceback_later()
