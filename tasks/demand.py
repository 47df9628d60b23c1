"""Workers that run only while there is something for them to do.

The worker for files has nothing to do for most of the time, and would take 20 MiB for that. Whoever has work
for it asks ``handler-runner`` for it; when it was idle for a while, it ends. A request is never forgotten:
one that comes while the worker is about to end starts it again. And none has to be remembered beyond the
life of ``handler-runner``: each tick that still has work to hand on asks anew.

In the same way a worker that is always there ends when it has rested from its work: there is a new one at
once, which has not yet taken the memory that work takes.
"""

from __future__ import annotations

import os
import signal
import time

from celery.signals import task_postrun, worker_ready
from celery.worker import state
from celery.worker.consumer import Consumer

ASKED = signal.SIGUSR1
IDLE_S = 5.0
LOOK_EVERY_S = 1.0
ENDING_TAKES_S = 2.0
"""Longer than an idle worker takes to end, and shorter than it was idle before."""

_runner: list[int] = []
"""The process id of the ``handler-runner`` that this process is a worker of; empty when it is of none."""


def serve(runner: int) -> None:
    """This process is a worker of ``runner``, and may ask it for another one."""
    _runner[:] = [runner]


def ask() -> None:
    """Have the workers that start on demand started. Does nothing where somebody else starts them."""
    # Whoever is no child of the runner any more is about to be ended with it.
    if _runner and os.getppid() == _runner[0]:
        os.kill(_runner[0], ASKED)


def end_when_idle(idle_s: float = IDLE_S, *, fresh: bool = True) -> None:
    """Have the Celery worker of this process end when it was without a task for ``idle_s`` seconds.

    ``fresh``: also when it has never had one.
    """
    since_s = [time.monotonic()]
    may_end = [fresh]

    def rest(**_: object) -> None:
        since_s[0] = time.monotonic()
        may_end[0] = True

    def look() -> None:
        if may_end[0] and time.monotonic() - since_s[0] >= idle_s:
            # Celery's own way to a warm shutdown: its loop looks at this before it takes the next message.
            state.should_stop = os.EX_OK

    def begin(sender: Consumer, **_: object) -> None:
        since_s[0] = time.monotonic()
        sender.timer.call_repeatedly(min(LOOK_EVERY_S, idle_s), look)

    task_postrun.connect(rest, weak=False)
    worker_ready.connect(begin, weak=False)
