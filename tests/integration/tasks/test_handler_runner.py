"""The one program that runs all of a node's Celery workers, on a real Redis."""

from __future__ import annotations

import os
import signal

from tests.support import runner_stub
from tests.support.family import all_gone, children, descendants
from tests.support.waiting import eventually


def test_every_queue_has_a_worker_of_its_own(runner, ask):
    answering = {ask(queue) for queue in runner_stub.QUEUES}
    assert len(answering) == len(runner_stub.QUEUES)
    assert answering <= set(children(runner.pid))


def test_a_worker_that_is_killed_is_started_again(runner, ask):
    before = {queue: ask(queue) for queue in runner_stub.QUEUES}
    os.kill(before["cluster"], signal.SIGKILL)
    eventually(lambda: all_gone([before["cluster"]]), 30, "the worker has ended")
    assert ask("cluster") != before["cluster"]
    assert ask("health") == before["health"]


def test_a_task_that_takes_longer_than_it_may_ends_its_worker(runner, hang, ask):
    before = {queue: ask(queue) for queue in runner_stub.QUEUES}
    hang("cluster")
    eventually(lambda: all_gone([before["cluster"]]), 30, "the worker has ended")
    assert ask("cluster") != before["cluster"]
    assert ask("health") == before["health"]


def test_asked_to_end_it_ends_everything(runner, ask):
    ask("files")
    family = descendants(runner.pid)
    runner.terminate()
    assert runner.wait(20) == 0
    eventually(lambda: all_gone(family), 30, "all workers have ended")


def test_killed_it_takes_everything_with_it(runner, ask):
    ask("files")
    family = descendants(runner.pid)
    runner.kill()
    runner.wait()
    eventually(lambda: all_gone(family), 30, "all workers have ended")
