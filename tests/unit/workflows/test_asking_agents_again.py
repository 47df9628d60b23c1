"""An operation that an agent does not answer for long is sent again: its message may never have arrived."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from manager.operations.message import Answer
from manager.workflows.asking import ASK_AGENTS_EVERY_S
from manager.workflows.engine import Engine, Parts
from manager.workflows.graph import Graph
from manager.workflows.model import OperationState, Task, TaskType
from manager.workflows.runs import Live

ON_AGENT = Task("a", "a", TaskType.REMOTE, {"executor": "agent", "agent": "x"}, state=OperationState.SENT)


class FakeSender:
    """Remembers what was sent."""

    def __init__(self):
        self.sent = []
        self.waiting = False

    def agent_has_messages(self, task):
        return self.waiting

    def send(self, tasks):
        self.sent.extend(tasks)

    def kill(self, tasks):
        assert not list(tasks)


@pytest.fixture
def engine(monkeypatch) -> Engine:
    """It has sent one operation to an agent, long ago; there is no database."""
    engine = Engine(Parts(None, FakeSender(), None, lambda: None, lambda: None, lambda _: ()))
    for step in ("_look", "_keep"):
        monkeypatch.setattr(engine, step, lambda _: None)
    run = SimpleNamespace(
        facts=SimpleNamespace(pk=1), ended=False, live=[], has_process=False, answer=lambda *_: None
    )
    engine._owners["a"] = (run, Live(1, "g", Graph([ON_AGENT])))
    engine._asking._agents._asked["a"] = time.monotonic() - ASK_AGENTS_EVERY_S
    return engine


def test_it_is_sent_once_in_a_while_and_not_in_every_turn(engine):
    engine.turn([])
    engine.turn([])
    assert engine._parts.sender.sent == [ON_AGENT]


def test_one_that_was_answered_is_not_sent_again(engine):
    engine.turn([Answer(id="a", attempt=0, outcome="succeeded")])
    assert engine._parts.sender.sent == []


def test_one_that_was_sent_lately_is_waited_for(engine):
    engine._asking._agents._asked["a"] = time.monotonic()
    engine.turn([])
    assert engine._parts.sender.sent == []


def test_while_an_agent_is_away_one_copy_waits_for_it_and_no_more(engine):
    engine._parts.sender.waiting = True
    engine.turn([])
    assert engine._parts.sender.sent == []
    assert "a" in engine._asking._agents._asked


def test_one_whose_execution_has_ended_is_forgotten(engine):
    del engine._owners["a"]
    engine.turn([])
    assert engine._parts.sender.sent == []
    assert engine._asking._agents._asked == {}
