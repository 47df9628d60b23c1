"""The manager's worker: a Celery worker that runs operations in as many processes as are needed at the time.

It is forked from ``mgmtworker``, from which it has its imported modules, and dies with it. Its processes die
with it in turn. While nothing is to be done there is one; it is there so that the first operation starts at
once.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from importlib import import_module
from typing import Any, NoReturn

from celery import Celery, signals
from celery.apps.worker import Worker
from celery.platforms import set_pdeathsig

# Imported before any process is forked, so that it is there once for all of them.
from manager.operations import (
    builtin,  # noqa: F401
    commands,  # noqa: F401
    endpoint,  # noqa: F401
    scripts,  # noqa: F401
)
from manager.operations.answering import Answers
from manager.operations.app import make_app
from manager.operations.database import Database
from manager.operations.fence import STATEMENTS
from manager.operations.isolation import begin
from manager.operations.message import OPERATIONS, TASK, Message
from manager.operations.on_manager import Manager
from manager.operations.processes import end_tree
from manager.operations.request import OperationRequest
from manager.operations.running import run
from manager.operations.settings import OperationsSettings

log = logging.getLogger(__name__)

MINIMUM = 1
START_WITHIN_S = 60.0
"""A busy machine takes its time to start a process; Celery's 4 s are not enough for many at once."""

LOST_WAIT_S = 0.5
"""For how long an answer of a process that is gone may still be on its way."""


SHARED = (
    "billiard.pool",
    "billiard.popen_fork",
    "celery.app.control",
    "celery.app.log",
    "celery.concurrency.prefork",
    "celery.events.receiver",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.loops",
    "celery.worker.pidbox",
    "celery.worker.strategy",
    "encodings.idna",
    "kombu.asynchronous.hub",
    "kombu.transport.redis",
)
"""What is not imported before it is needed is imported before the fork: later, each would have its own."""


class Runner:
    """What one process of the pool has of its own: a connection to the database, and one to the broker."""

    def __init__(self, app: Celery, settings: OperationsSettings) -> None:
        self._settings = settings
        self._database = Database(settings.database, STATEMENTS)
        self._answers = Answers(app)
        self._name = f"{OPERATIONS}@{settings.node}"

    def __call__(self, body: dict[str, Any]) -> None:
        """Run what a message asks for, and return when its answer is delivered."""
        message = Message.model_validate(body)
        answer = run(message, Manager(self._settings, self._database), self._name)
        if answer is not None:
            self._answers.deliver(answer)


def prepare(settings: OperationsSettings) -> Celery:
    """The application with its task. Connects to nothing: to be called before forking."""
    app = make_app(settings.broker)
    app.conf.update(worker_proc_alive_timeout=START_WITHIN_S, worker_lost_wait=LOST_WAIT_S)
    runner = Runner(app, settings)

    class ManagerRequest(OperationRequest):
        answers = Answers(app)
        worker = f"{OPERATIONS}@{settings.node}"

    @app.task(name=TASK, Request=ManagerRequest)
    def operation(message: dict[str, Any]) -> None:
        runner(message)

    @signals.worker_process_init.connect(weak=False)
    def start_process(**_: Any) -> None:
        begin()

    for name in SHARED:
        import_module(name)
    app.loader.import_default_modules()
    app.finalize()
    return app


def run_worker(settings: OperationsSettings, app: Celery | None = None) -> int:
    """Be the worker, in a process of its own, until that is ended; gives its exit code.

    ``app``: what ``prepare`` gave before the fork. ``SIGTERM`` and the end of the parent end it at once, with
    everything that it runs.
    """
    set_pdeathsig("SIGKILL")
    app = app or prepare(settings)
    worker = app.Worker(
        hostname=f"{OPERATIONS}@{settings.node}",
        queues=[OPERATIONS],
        pool="prefork",
        autoscale=(settings.max_operations, MINIMUM),
        loglevel=logging.INFO,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )

    @signals.worker_ready.connect(weak=False)
    def end_at_once(**_: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _end(worker))

    for name in ("celery.worker.strategy", "celery.app.trace", "celery.worker.autoscale"):
        # A line or two for each operation, in the log of a node that has events for that.
        logging.getLogger(name).setLevel(logging.WARNING)
    # A collection writes into every object that it looks at, and a page that is written to is shared no more.
    gc.collect()
    gc.freeze()
    worker.start()
    return int(worker.exitcode or 0)


def _end(worker: Worker) -> NoReturn:
    """What an operation has done is known to the database; how it goes on is for whoever leads next."""
    pool = getattr(worker.pool, "_pool", None)
    for process in list(getattr(pool, "_pool", ())):
        end_tree(process.pid)
    logging.shutdown()
    os._exit(0)
