"""The engine as a process: what the service ``mgmtworker`` starts when there is something for it to do.

Two processes: the engine, and the Celery worker that runs operations, which is forked from it so that what
both have imported is in memory once. Either ends when the other does. Asked to stop, they end at once,
whatever is under way: it is in the database, and is gone on with by whoever leads next. They end as well when
there was nothing to do for a while.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
from functools import partial
from typing import NoReturn

from celery import Celery

from manager import executing
from manager.agents.following import Following
from manager.agents.tokens import Tokens
from manager.gateway import Gateway, load_config
from manager.gateway.agents import members_of, remember
from manager.gateway.operations import operations_settings_of
from manager.operations.leftovers import end_leftovers
from manager.operations.message import OPERATIONS
from manager.operations.settings import OperationsSettings
from manager.operations.worker import prepare, run_worker
from manager.slots import WriteSlot
from manager.storage import Storage, engine_for
from manager.workflows.answers import AnswersReader
from manager.workflows.asking import known_by_worker
from manager.workflows.beginning import Beginning
from manager.workflows.engine import Engine, Parts
from manager.workflows.listener import Listener
from manager.workflows.logs import log_to_stderr
from manager.workflows.processes import Room
from manager.workflows.reading import Retrying
from manager.workflows.rest import Rest, worker_works
from manager.workflows.sending import Sender, broker_of

log = logging.getLogger("mgmtworker")

CONNECTIONS = 2
ENDED_UNASKED = 1
QUIET = ("celery.worker.strategy", "celery.app.trace", "celery.pool")
"""They say a line or more for each operation."""


def main() -> int:
    """Run until there is nothing to do (0), or something essential is lost. Nobody waits for anything."""
    log_to_stderr()
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    config = load_config()
    remember(config)
    operations = operations_settings_of(config)
    app = prepare(operations)
    _empty_queue(app)
    gc.collect()
    gc.freeze()
    worker = os.fork()
    if worker == 0:
        os._exit(_work(operations, app))
    threading.Thread(target=_watch, args=(worker,), name="watch", daemon=True).start()
    try:
        _run_engine(Gateway(config), operations, app)
    except Exception as error:
        log.exception("The engine has failed.")
        _lost(f"{type(error).__name__}: {error}")
    return 0


def _run_engine(gateway: Gateway, operations: OperationsSettings, app: Celery) -> None:
    storage = Storage(engine_for(operations.database, CONNECTIONS))
    workflows = gateway.config.workflows
    retrying = Retrying(workflows.max_retries, workflows.retry_interval_s)

    def release() -> None:
        with storage.writing(WriteSlot()) as session:
            executing.release_waiting(session)

    sender, known = Sender(app, Tokens(storage).of), known_by_worker(app, operations.node)
    beginning = Beginning(storage, retrying, Room(workflows.max_custom_workflows))
    parts = Parts(storage, sender, beginning, release, gateway.term, known, partial(end_leftovers, storage))
    engine = Engine(parts)
    reader = AnswersReader(sender.broker, engine.take, _lost)
    Listener(operations.database, engine.name).start(engine.wake, _lost)
    Following(app, storage, members_of(gateway.config)).start()
    log.info("Engine %s runs workflows.", engine.name)
    engine.run(reader, Rest(storage, worker_works(app, operations.node)).is_over)
    log.info("Engine %s had nothing to do, and ends.", engine.name)


def _empty_queue(app: Celery) -> None:
    """Forget what an earlier engine has sent: whoever takes up an execution sends it again.

    Else the new worker began operations of executions that are not taken up yet, and whoever takes them up
    would believe that they were interrupted. Raises ``redis.RedisError``.
    """
    with broker_of(app) as broker:
        broker.delete(OPERATIONS)
    broker.connection_pool.disconnect()


def _work(operations: OperationsSettings, app: Celery) -> int:
    try:
        return run_worker(operations, app)
    except Exception:
        log.exception("The worker of operations has failed.")
        return ENDED_UNASKED


def _watch(worker: int) -> NoReturn:
    """Without its worker the engine would send operations to nobody."""
    _, status = os.waitpid(worker, 0)
    _lost(f"the worker of operations has ended ({os.waitstatus_to_exitcode(status)})")


def _lost(why: str) -> NoReturn:
    """End at once, from whatever thread: the kernel ends the worker and what it runs."""
    log.error("This service ends, and is started again: %s", why)
    logging.shutdown()
    os._exit(ENDED_UNASKED)
