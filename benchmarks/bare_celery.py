"""What workflows are measured beside: Celery as it comes, with a task that does nothing.

``python -m benchmarks.bare_celery`` is its worker: a process of its pool for each processor, and nothing set
but where the broker is, which is the leader's own. Results are kept in the same broker, for without them
nobody would know when a group is done.
"""

from __future__ import annotations

import ssl
import sys
import time

from celery import Celery, group

from manager.gateway import load_config
from manager.gateway.operations import operations_settings_of
from manager.operations.app import url_of
from orchestrator.config import NodeConfig

QUEUE, TASK = "bare", "nothing"
TIMEOUT_S = 300.0
JOIN_EVERY_S = 0.01


def make_app(config: NodeConfig) -> Celery:
    """The application. Connects to nothing by itself."""
    broker = operations_settings_of(config).broker
    secure = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": str(broker.ca_file)}
    app = Celery("bare", broker=url_of(broker), backend=url_of(broker), set_as_current=False)
    app.conf.update(broker_use_ssl=secure, redis_backend_use_ssl=secure, task_default_queue=QUEUE)
    app.task(_nothing, name=TASK)
    return app


def _nothing() -> None:
    """The task."""


def tasks_per_s(app: Celery, count: int) -> float:
    """Send a group of so many, and wait for all of its results."""
    began_s = time.perf_counter()
    result = group(app.signature(TASK) for _ in range(count)).apply_async()
    result.get(timeout=TIMEOUT_S, interval=JOIN_EVERY_S)
    return count / (time.perf_counter() - began_s)


def main() -> int:
    """Be the worker until a signal comes."""
    app = make_app(load_config())
    app.worker_main(["worker", "--queues", QUEUE, "--loglevel", "ERROR", "--hostname", "bare@localhost"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
