"""A worker that ends when it is idle, and is there when there is work, on a real Redis."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support import runner_stub
from tests.support.family import all_gone, children
from tests.support.waiting import eventually

ANSWER_S = 30


@pytest.fixture
def idle(runner, ask):
    """Nothing was to be done for a while: only the workers that are always there are left."""
    for queue in runner_stub.QUEUES:
        ask(queue)
    always = len(runner_stub.QUEUES) + 1
    eventually(lambda: len(children(runner.pid)) == always, 30, "the worker on demand has ended")
    return set(children(runner.pid))


def test_it_ends_when_it_is_idle_and_no_other_one_does(idle, ask):
    assert {ask(queue) for queue in runner_stub.QUEUES} < idle


def test_asked_for_it_does_what_waits(app, idle, demand):
    waiting = app.send_task("whoami", queue=runner_stub.ON_DEMAND)
    demand()
    assert waiting.get(timeout=ANSWER_S) not in idle


def test_it_comes_again_and_again(app, runner, idle, demand):
    for _ in range(2):
        demand()
        waiting = app.send_task("whoami", queue=runner_stub.ON_DEMAND)
        pid = waiting.get(timeout=ANSWER_S)
        eventually(lambda pid=pid: all_gone([pid]), 30, "it has ended")


def test_killed_in_the_middle_of_its_work_it_is_started_again_without_being_asked(runner, idle, demand, hang):
    hang(runner_stub.ON_DEMAND)
    demand()
    (killed,) = eventually(lambda: set(children(runner.pid)) - idle, 30, "it has begun")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: set(children(runner.pid)) - idle - {killed}, 30, "it is back")


def test_work_of_an_earlier_life_is_done_without_being_asked_for(app, ask):
    """The message may be there before the runner is."""
    waiting = app.send_task("whoami", queue=runner_stub.ON_DEMAND)
    assert waiting.get(timeout=ANSWER_S) != ask("health")


def test_to_ask_means_nothing_where_no_runner_is():
    from tasks import demand as own  # noqa: PLC0415  The name is that of a fixture here.

    own.ask()
