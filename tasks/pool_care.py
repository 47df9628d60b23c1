"""A worker's child that was killed is noticed soon, and what it was doing is given up soon.

Celery hears of a child's end when a pipe closes, and looks at once. The kernel closes pipes a little before
it calls a process dead, so that look may come too early, and the next one is made 5 s later. For so long a
leader would not renew its lease. So this looks more often; looking costs some microseconds.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, bootsteps

LOOK_EVERY_S = 0.25


class PoolCare(bootsteps.StartStopStep):
    """A step of a worker's start, by which its pool is looked after."""

    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Look for dead children regularly, and put new ones in their places."""
        hub.call_repeatedly(LOOK_EVERY_S, worker.pool.maintain_pool)


def install(app: Celery) -> None:
    """Have every worker of ``app`` look after its pool."""
    app.steps["worker"].add(PoolCare)
