"""The handler-runner with a Celery application of its own: ``runner_stub.py <redis socket>``."""

from __future__ import annotations

import logging
import os
import sys
import time

from celery import Celery

from tasks import demand, time_limits  # noqa: F401 - the second is what is tested
from tasks.handler_runner import HandlerRunner, prepare, work

QUEUES = ("health", "cluster", "files")
ON_DEMAND = "on-demand"
RESTED = "rested"
IDLE_S = 0.5

app = Celery("stub")


@app.task(name="whoami")
def whoami():
    return os.getpid()


@app.task(name="hang", time_limit=0.5)
def hang():
    time.sleep(3600)


@app.task(name="ask")
def ask():
    demand.ask()


def be(queue):
    if queue == ON_DEMAND:
        demand.end_when_idle(IDLE_S)
    if queue == RESTED:
        demand.end_when_idle(IDLE_S, fresh=False)
    return work(app, queue)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.conf.update(
        broker_url=f"redis+socket://{sys.argv[1]}?virtual_host=0",
        result_backend=f"redis+socket://{sys.argv[1]}?virtual_host=1",
        broker_connection_retry_on_startup=True,
        worker_prefetch_multiplier=1,
    )
    prepare(app)
    HandlerRunner((*QUEUES, RESTED, ON_DEMAND), be, on_demand=frozenset({ON_DEMAND})).run()
