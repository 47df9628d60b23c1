"""The agent's worker: takes operations from its queue at the leader's broker, and runs them in processes.

What runs them is the same as on the manager (``manager.operations.running``), in another world (``world``).
An answer goes to the ledger, and from there to the leader (``delivery``).
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
from typing import Any, NoReturn

from celery import Celery, signals
from celery.apps.worker import Worker

# Imported before any process is forked, so that it is there once for all of them.
from agent import (
    commands,  # noqa: F401
    endpoint,  # noqa: F401
)
from agent.brokers import app_of
from agent.delivery import Delivery
from agent.ledger import Ledger
from agent.settings import OWN_FILE, OWN_FOLDER, Busy, Folder
from agent.world import Far
from manager.operations import (
    commands as operations_commands,  # noqa: F401
)
from manager.operations import (
    scripts,  # noqa: F401
)
from manager.operations.agents import hostname
from manager.operations.isolation import begin
from manager.operations.message import TASK, Answer, Message, agent_queue
from manager.operations.processes import die_with_parent, end_tree
from manager.operations.request import OperationRequest
from manager.operations.running import run

log = logging.getLogger(__name__)

START_WITHIN_S = 60.0
LOST_WAIT_S = 0.5


class Answers:
    """Where answers go: to the ledger, whoever leads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def deliver(self, answer: Answer, tries: int | None = None) -> None:  # noqa: ARG002  # the disk takes it at once
        """Keep it."""
        self._ledger.answer(answer)


def run_agent(folder: Folder) -> int:
    """Be the agent until asked to stop. Raises ``NotConfigured``, ``Busy``."""
    settings = folder.settings()
    held = _hold(folder)
    ledger = Ledger(folder.ledger_file)
    ledger.open()
    ledger.take_stock(hostname(settings.name))
    ledger.let_go()
    for place in (folder.blueprints, folder.work):
        place.mkdir(mode=OWN_FOLDER, exist_ok=True)
    delivery = Delivery(folder, ledger)
    app = prepare(folder, ledger)
    worker = app.Worker(
        hostname=hostname(settings.name),
        queues=[agent_queue(settings.name)],
        pool="prefork",
        autoscale=(settings.max_workers, 1),
        loglevel=logging.INFO,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )

    @signals.worker_ready.connect(weak=False)
    def ready(**_: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _end(worker))
        delivery.found_leader()
        log.info("The agent takes operations from %s.", folder.active)

    delivery.start()
    worker.start()
    held.close()
    return int(worker.exitcode or 0)


def prepare(folder: Folder, ledger: Ledger) -> Celery:
    """The application with its task. Connects to nothing."""
    app = app_of(folder)
    name = hostname(folder.settings().name)
    app.conf.update(
        agent_folder=folder,
        worker_consumer="agent.consumer:FollowingConsumer",
        worker_proc_alive_timeout=START_WITHIN_S,
        worker_lost_wait=LOST_WAIT_S,
        worker_enable_prefetch_count_reduction=False,
    )

    class AgentRequest(OperationRequest):
        answers = Answers(ledger)  # type: ignore[assignment]  # all that is asked of it is to deliver
        worker = name

    @app.task(name=TASK, Request=AgentRequest)
    def operation(message: dict[str, Any]) -> None:
        asked = Message.model_validate(message)
        answer = run(asked, Far(folder, ledger, asked), name)
        if answer is not None:
            ledger.answer(answer)

    @signals.worker_process_init.connect(weak=False)
    def start_process(**_: Any) -> None:
        # The ledger of the next agent says that what this one ran has ended: that has to be so.
        die_with_parent()
        begin()

    app.loader.import_default_modules()
    app.finalize()
    return app


def _hold(folder: Folder) -> Any:
    """The lock that says that an agent runs, with its process id in the file. Raises ``Busy``."""
    descriptor = os.open(folder.pid_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWN_FILE)
    file = os.fdopen(descriptor, "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"An agent runs in {folder.path} already: process {file.read().strip()}.") from None
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _end(worker: Worker) -> NoReturn:
    """What has been done is in the ledger; what is under way is looked at when the agent starts again."""
    pool = getattr(worker.pool, "_pool", None)
    for process in list(getattr(pool, "_pool", ())):
        end_tree(process.pid)
    logging.shutdown()
    os._exit(0)
