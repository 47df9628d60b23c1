"""The ``handler-runner`` service: one Celery worker for each queue, all forked from one process.

The application is imported once, and the workers are forked from it, so that its memory is there once:
three workers started one by one would need three times as much. A worker that dies is started again. One
that runs on demand (``tasks/demand.py``) may end when it is idle, and is started again when it is asked
for. When this process ends, however it ends, its workers and their children end too.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import math
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from celery import Celery
from celery.exceptions import SecurityWarning

from tasks import demand

log = logging.getLogger("handler-runner")

ON_DEMAND = frozenset({"files"})
"""The queues whose workers end when they are idle."""

RESTED_S: Mapping[str, float] = {"cluster": 60.0}
"""After how long without a task a worker that has worked is replaced by a new one: work takes 6 to 15 MiB (to
form a cluster, to promote, to fence), and an idle node does none. It takes a second, in which what comes
waits: so long after the last action nothing is expected that cannot."""

RESTART_DELAY_S = 1.0
GRACE_S = 10.0
PR_SET_PDEATHSIG = 1

WATCHED = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, demand.ASKED})
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})


@dataclass(slots=True)
class Child:
    """A worker process: the queue that it serves, and when it was started (monotonic seconds)."""

    queue: str
    started_s: float


class HandlerRunner:
    """Keeps one child per queue. ``work`` is what a child does; it returns the child's exit code.

    A child of a queue in ``on_demand`` that ends well is not started again before it is asked for. At first
    each of them is started: work of an earlier life may be waiting.
    """

    def __init__(
        self, queues: tuple[str, ...], work: Callable[[str], int], *, on_demand: frozenset[str] = frozenset()
    ) -> None:
        self._on_demand = on_demand
        self._work = work
        self._children: dict[int, Child] = {}
        self._asked_s = -math.inf
        self._due_s: dict[str, float] = dict.fromkeys(queues, 0.0)

    @property
    def children(self) -> Mapping[int, Child]:
        """The children that run, by process id."""
        return self._children

    def run(self) -> None:
        """Keep the children running until this process is asked to end; then end them."""
        # Blocked, so that a signal is never handled between a check and the wait for it: it is waited for.
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        asked = False
        while not asked:
            self._start_due()
            received = self._wait(self._next_due_s())
            asked = received in ENDING
            self._reap()
            if received == demand.ASKED:
                self._asked_s = time.monotonic()
                self._start_on_demand()
        self._end_all()

    def _start_on_demand(self) -> None:
        here = {child.queue for child in self._children.values()} | self._due_s.keys()
        self._due_s |= dict.fromkeys(self._on_demand - here, 0.0)

    def _start_due(self) -> None:
        for queue, due_s in list(self._due_s.items()):
            if due_s <= time.monotonic():
                del self._due_s[queue]
                self._start(queue)

    def _start(self, queue: str) -> None:
        runner = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._be_child(queue, runner)
        self._children[pid] = Child(queue, time.monotonic())
        log.info("worker for queue %s started (%d)", queue, pid)

    def _be_child(self, queue: str, runner: int) -> NoReturn:
        code = 1
        try:
            die_with_parent(runner)
            demand.serve(runner)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            code = self._work(queue)
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else 1
        except Exception:
            # The end of a process: there is nobody above who could know better.
            log.exception("worker for queue %s failed", queue)
        finally:
            # Whatever happens, a child never returns into the loop of its parent.
            logging.shutdown()
            os._exit(code)

    def _wait(self, until_s: float | None) -> int | None:
        if until_s is None:
            return signal.sigwait(WATCHED)
        received = signal.sigtimedwait(WATCHED, max(0.0, until_s - time.monotonic()))
        return received.si_signo if received is not None else None

    def _next_due_s(self) -> float | None:
        return min(self._due_s.values(), default=None)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if (child := self._children.pop(pid, None)) is not None:
                code = os.waitstatus_to_exitcode(status)
                if code == 0 and child.queue in self._on_demand:
                    log.info("worker for queue %s was idle, and ended (%d)", child.queue, pid)
                    if time.monotonic() - self._asked_s < demand.ENDING_TAKES_S:
                        # What it was asked for may have come when it had already made up its mind.
                        self._due_s[child.queue] = 0.0
                    continue
                level = logging.WARNING if code else logging.INFO
                log.log(level, "worker for queue %s ended (%d, exit code %d)", child.queue, pid, code)
                # One that falls over at once is not started in a tight circle.
                self._due_s[child.queue] = child.started_s + RESTART_DELAY_S

    def _end_all(self) -> None:
        deadline_s = time.monotonic() + GRACE_S
        self._signal_all(signal.SIGTERM)
        while self._children:
            if self._wait(deadline_s) is None:
                self._signal_all(signal.SIGKILL)
                deadline_s += GRACE_S
            self._reap()

    def _signal_all(self, number: signal.Signals) -> None:
        # They are our children and have not been waited for, so the numbers are still theirs.
        for pid in self._children:
            os.kill(pid, number)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, also when that is killed itself.

    ``parent``: as the parent has said itself: by now it may have ended, and somebody else be in its place.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(1)


def prepare(app: Celery) -> None:
    """Import everything that workers need, and set it apart from garbage collection.

    A collection writes into every object that it looks at, and a page that is written to is shared no more.
    No worker and no connection is made here: what they watch descriptors with would be one thing for all.
    """
    # That a node is run as root is for its operator to decide. To say so would take each worker 0.5 MiB.
    warnings.simplefilter("ignore", SecurityWarning)
    app.loader.import_default_modules()
    app.finalize()
    # None of them connects by itself; they would be built by each process.
    _ = app.backend.client, app.amqp.router, app.amqp.send_task_message
    gc.collect()
    gc.freeze()


def work(app: Celery, queue: str) -> int:
    """Be the Celery worker of one queue: one task at a time, and no talk with other workers."""
    worker = app.Worker(
        hostname=f"{queue}@{os.uname().nodename}",
        queues=[queue],
        # It runs its tasks itself; tasks.time_limits says why it needs no child for that.
        pool="solo",
        concurrency=1,
        loglevel=logging.INFO,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def main() -> int:
    """Run the workers of this node."""
    # Tests run without these.
    from orchestrator.clients.consul import codec, view  # noqa: PLC0415
    from tasks.app import CLUSTER, FILES, HEALTH, app, log_to_cluster_log  # noqa: PLC0415

    log_to_cluster_log()
    codec.prepare(view.KINDS)
    prepare(app)
    HandlerRunner((HEALTH, CLUSTER, FILES), lambda queue: _be(app, queue), on_demand=ON_DEMAND).run()
    return 0


def _be(app: Celery, queue: str) -> int:
    if queue in ON_DEMAND:
        demand.end_when_idle()
    if queue in RESTED_S:
        demand.end_when_idle(RESTED_S[queue], fresh=False)
    return work(app, queue)


if __name__ == "__main__":
    sys.exit(main())
