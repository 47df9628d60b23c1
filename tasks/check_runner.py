"""The ``check-runner`` service: Celery beat, with nothing but the schedule. It imports no task."""

from __future__ import annotations

import sys

from celery.beat import Scheduler, Service

from tasks.app import app, log_to_cluster_log


class Punctual(Scheduler):
    """Sleeps until the next task is due, and keeps no file: the schedule is a constant table.

    The library wakes 10 ms too early, and then asks without a pause whether it is time yet: with a task
    every second that is half a percent of a core.
    """

    def adjust(self, n: float, drift: float = 0.0) -> float:
        """How long to sleep when the next task is due in ``n`` seconds."""
        return float(super().adjust(n, drift))


def main() -> int:
    """Enqueue what is due until the process is ended."""
    log_to_cluster_log()
    Service(app, scheduler_cls=Punctual).start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
