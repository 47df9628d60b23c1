"""Whether an engine may end, because it has nothing to do: what is not there takes no memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import Celery

from manager.errors import Unavailable
from manager.operations.message import OPERATIONS
from manager.storage import Storage
from manager.workflows.needs import QUESTION, Needs

IDLE_S = 60.0
"""People start one workflow after the other, and none after the first shall wait for a process to start."""

ANSWER_S = 2.0


class Rest:
    """Of one engine. It begins now."""

    def __init__(self, storage: Storage, worker_works: Callable[[], bool]) -> None:
        self._storage, self._worker_works = storage, worker_works
        self._since_s = time.monotonic()

    def is_over(self, executions: int) -> bool:
        """Whether nothing was to be done for ``IDLE_S``. ``executions``: how many the engine works on now.

        Raises what ``worker_works`` does.
        """
        now_s = time.monotonic()
        if executions or self._needed():
            self._since_s = now_s
        if now_s - self._since_s < IDLE_S:
            return False
        if self._worker_works():
            # Of an execution that was cancelled by force: nobody waits for it, but nobody ends it either.
            self._since_s = now_s
            return False
        return True

    def _needed(self) -> bool:
        try:
            with self._storage.reading() as session:
                row = session.connection().exec_driver_sql(QUESTION).one()
        except Unavailable:
            return True
        return Needs.of(row).engine


def worker_works(app: Celery, node: str) -> Callable[[], bool]:
    """What tells whether the worker of this node runs an operation. One that does not answer may do so.

    It raises what kombu does when the broker cannot be reached.
    """
    worker = f"{OPERATIONS}@{node}"
    inspect = app.control.inspect(destination=[worker], timeout=ANSWER_S, limit=1)

    def works() -> bool:
        return bool((inspect.active() or {}).get(worker, True))

    return works
