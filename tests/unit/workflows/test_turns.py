"""One execution that is broken stops no other, and what the database does is nobody's fault."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from manager.errors import OutcomeUnknown, Unavailable
from manager.workflows.model import Task, TaskType
from manager.workflows.runs import Wishes
from manager.workflows.store import Batch
from manager.workflows.turns import Turn

TASK = Task("a", "a", TaskType.REMOTE)


class FakeRun:
    """An execution of which only the key and the end matter."""

    def __init__(self, pk):
        self.facts = SimpleNamespace(pk=pk, id=f"e{pk}")
        self.ended = False

    def fail(self, batch, error):
        self.ended = True
        batch.endings.append((self.facts.pk, error))


def sends(batch):
    batch.progress[1] = (1, 0)
    return Wishes(send=(TASK,), kill=(TASK,))


def breaks(batch):
    batch.progress[2] = (1, 0)
    raise KeyError("size")


def test_one_that_raises_fails_and_the_other_goes_on():
    turn = Turn(0.0)
    turn.do(FakeRun(1), sends)
    turn.do(FakeRun(2), breaks)
    whole = turn.batch()
    assert whole.progress == {1: (1, 0)}
    assert whole.endings == [(2, "It cannot be carried out: KeyError: 'size'")]
    assert (turn.sends, turn.kills) == ([TASK], [TASK])


def test_what_was_to_be_sent_for_one_that_is_given_up_is_not():
    turn, run = Turn(0.0), FakeRun(1)
    turn.do(run, sends)
    turn.give_up(run, ValueError("no"))
    assert (turn.sends, turn.kills) == ([], [])


def test_one_that_has_ended_takes_no_step():
    turn, run = Turn(0.0), FakeRun(1)
    run.ended = True
    turn.do(run, breaks)
    assert not turn.batch()


@pytest.mark.parametrize("error", [Unavailable("gone"), OutcomeUnknown("perhaps")])
def test_a_database_that_is_lost_is_the_fault_of_no_execution(error):
    def lost(_: Batch) -> None:
        raise error

    with pytest.raises(type(error)):
        Turn(0.0).do(FakeRun(1), lost)
