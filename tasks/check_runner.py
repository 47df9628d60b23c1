"""The ``check-runner`` service: Celery beat, with nothing but the schedule. It imports no task."""

from __future__ import annotations

import sys

from celery.beat import Service

from tasks.app import app, log_to_cluster_log


def main() -> int:
    """Enqueue what is due until the process is ended; the schedule is a constant, so nothing is saved."""
    log_to_cluster_log()
    Service(app, scheduler_cls=app.conf.beat_scheduler).start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
