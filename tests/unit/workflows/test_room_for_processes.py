"""So many processes of workflows run at a time; the others wait, and nobody waits for ever."""

from __future__ import annotations

import errno
import subprocess
import sys
from types import SimpleNamespace

import pytest

from manager.workflows import processes
from manager.workflows.processes import STILL_S, Room, WorkflowProcess
from manager.workflows.runs import CANCELLING, Run
from tests.support.waiting import eventually

WAITS = 'import sys; sys.stdin.read(); print(\'{"outcome": "succeeded", "error": null}\')'


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def begin(monkeypatch):
    """Makes processes that go on until their standard input is closed."""
    real, made = subprocess.Popen, []
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda _, **how: real([sys.executable, "-c", WAITS], **how)
    )

    def beginning(room: Room) -> WorkflowProcess:
        made.append(WorkflowProcess("e", room))
        return made[-1]

    yield beginning
    for process in made:
        process.kill()


def close_input_of(process: WorkflowProcess) -> None:
    process._process.stdin.close()


def test_one_more_than_there_is_room_for_waits_until_one_has_ended(begin):
    room = Room(most=1)
    first, second = begin(room), begin(room)
    assert first.has_begun()
    assert not second.has_begun()
    assert second.outcome() is None
    close_input_of(first)
    assert eventually(first.outcome, 30, "it ends").outcome == "succeeded"
    assert second.has_begun()


def test_one_that_is_killed_makes_room(begin):
    room = Room(most=1)
    first, second = begin(room), begin(room)
    first.has_begun()
    first.kill()
    assert second.has_begun()


def test_one_that_never_began_takes_none_with_it(begin):
    room = Room(most=1)
    begin(room).kill()
    assert begin(room).has_begun()


def test_one_that_cannot_be_started_takes_none_with_it(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EAGAIN, "no more processes")

    room = Room(most=1)
    monkeypatch.setattr(processes.subprocess, "Popen", refuse)
    with pytest.raises(OSError, match="no more processes"):
        WorkflowProcess("e", room).has_begun()
    assert room.enter()


def test_when_nothing_moves_one_more_is_let_in_because_others_may_wait_for_it(clock):
    room = Room(most=1, clock=clock)
    assert room.enter()
    clock.now_s += STILL_S - 1
    assert not room.enter()
    clock.now_s += 1
    assert room.enter()
    assert not room.enter()


def test_one_that_waits_for_room_can_be_cancelled(monkeypatch):
    ended = []
    waiting = SimpleNamespace(has_begun=lambda: False, outcome=lambda: None, kill=lambda: None)
    batch = SimpleNamespace(lines=[])
    facts = SimpleNamespace(status=CANCELLING, resume=False, workflow_id="w")
    run = Run(facts, batch, process=waiting)
    monkeypatch.setattr(run, "_end", lambda _, status, error=None: ended.append(status))
    run._look_at_process(batch)
    assert ended == ["cancelled"]
