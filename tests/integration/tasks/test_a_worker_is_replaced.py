"""A worker that has rested from its work is replaced by a new one, on a real Redis; nothing is lost by it."""

from __future__ import annotations

import time

from tests.support import runner_stub
from tests.support.family import all_gone, children
from tests.support.waiting import eventually

ALWAYS = len(runner_stub.QUEUES) + 1
MOMENTS = 12


def test_it_is_replaced_when_it_has_rested(runner, ask):
    worked = ask(runner_stub.RESTED)
    eventually(lambda: all_gone([worked]), 30, "it has ended")
    assert ask(runner_stub.RESTED) != worked


def test_one_that_has_not_worked_is_not(app, runner, ask):
    for queue in runner_stub.QUEUES:
        ask(queue)
    eventually(lambda: len(children(runner.pid)) == ALWAYS, 30, "the worker on demand has ended")
    before = set(children(runner.pid))
    # Another one comes, is idle for as long, and ends.
    app.send_task("ask", queue="health").get(timeout=30)
    eventually(lambda: len(children(runner.pid)) > ALWAYS, 30, "the worker on demand is there")
    eventually(lambda: len(children(runner.pid)) == ALWAYS, 30, "the worker on demand has ended")
    assert set(children(runner.pid)) == before


def test_what_comes_when_it_is_being_replaced_is_done(ask):
    answered = set()
    for moment in range(MOMENTS):
        answered.add(ask(runner_stub.RESTED))
        # Before, while and after it ends.
        time.sleep(runner_stub.IDLE_S * (0.8 + moment / MOMENTS))
    assert len(answered) > 1
