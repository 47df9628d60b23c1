"""What the agent's ledger promises: nothing runs twice, and no answer is lost."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agent.ledger import KEPT_S, WAS_INTERRUPTED, Ledger
from manager.operations.message import Answer, Message, Outcome

MESSAGE = Message(id="o", attempt=0, context={"task_name": "a.b"})
AGAIN = MESSAGE.model_copy(update={"attempt": 1})


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    made = Ledger(tmp_path / "ledger.db", clock)
    made.open()
    return made


def answer(outcome: Outcome = Outcome.SUCCEEDED, attempt: int = 0) -> Answer:
    return Answer(id="o", attempt=attempt, outcome=outcome, worker="w")


def test_a_message_that_comes_twice_runs_once(ledger: Ledger):
    assert [ledger.begin(MESSAGE, resumable=True) for _ in range(2)] == [True, False]


def test_a_copy_is_known_before_anything_of_it_can_fail(ledger: Ledger):
    assert not ledger.is_copy(MESSAGE)
    ledger.begin(MESSAGE, resumable=False)
    assert ledger.is_copy(MESSAGE)
    assert not ledger.is_copy(AGAIN)


def test_what_may_run_again_is_no_copy(ledger: Ledger):
    ledger.begin(MESSAGE, resumable=True)
    ledger.take_stock("w")
    assert not ledger.is_copy(MESSAGE)


def test_a_copy_of_what_was_answered_gets_its_answer(ledger: Ledger):
    ledger.begin(MESSAGE, resumable=False)
    ledger.answer(answer())
    ledger.delivered(answer())
    assert ledger.is_copy(MESSAGE)
    assert ledger.undelivered() == [answer()]


def test_another_attempt_is_another_operation(ledger: Ledger):
    assert [ledger.begin(it, resumable=True) for it in (MESSAGE, AGAIN)] == [True, True]


def test_while_it_runs_nothing_is_answered(ledger: Ledger):
    ledger.begin(MESSAGE, resumable=False)
    ledger.begin(MESSAGE, resumable=False)
    assert ledger.undelivered() == []


def test_an_answer_waits_until_it_is_delivered(ledger: Ledger):
    ledger.begin(MESSAGE, resumable=False)
    ledger.answer(answer())
    assert ledger.undelivered() == [answer()]
    ledger.delivered(answer())
    assert ledger.undelivered() == []


def test_who_asks_again_is_given_the_kept_answer_again(ledger: Ledger):
    ledger.begin(MESSAGE, resumable=False)
    ledger.answer(answer())
    ledger.delivered(answer())
    assert not ledger.begin(MESSAGE, resumable=False)
    assert ledger.undelivered() == [answer()]


def test_the_first_answer_counts(ledger: Ledger):
    ledger.begin(MESSAGE, resumable=False)
    ledger.answer(answer())
    ledger.answer(answer(Outcome.FAILED))
    assert ledger.undelivered() == [answer()]


def test_what_never_began_can_be_answered_too(ledger: Ledger):
    ledger.answer(answer(Outcome.FAILED))
    assert not ledger.begin(MESSAGE, resumable=False)


def test_after_a_restart_what_may_not_run_again_has_failed(ledger: Ledger):
    ledger.begin(MESSAGE, resumable=False)
    ledger.take_stock("w")
    (failed,) = ledger.undelivered()
    assert (failed.outcome, failed.error, failed.recoverable) == (Outcome.FAILED, WAS_INTERRUPTED, False)
    assert not ledger.begin(MESSAGE, resumable=False)


def test_after_a_restart_what_may_runs_again_once(ledger: Ledger):
    ledger.begin(MESSAGE, resumable=True)
    ledger.take_stock("w")
    assert ledger.interrupted() == [MESSAGE]
    assert ledger.undelivered() == []
    assert [ledger.begin(MESSAGE, resumable=True) for _ in range(2)] == [True, False]
    assert ledger.interrupted() == []


def test_what_was_delivered_is_kept_for_a_day(ledger: Ledger, clock: Clock):
    ledger.answer(answer())
    ledger.delivered(answer())
    clock.now_s += KEPT_S
    ledger.let_go()
    assert not ledger.begin(MESSAGE, resumable=False)
    ledger.delivered(answer())
    clock.now_s += KEPT_S + 1
    ledger.let_go()
    assert ledger.begin(MESSAGE, resumable=False)


def test_what_was_not_delivered_is_kept_for_ever(ledger: Ledger, clock: Clock):
    ledger.answer(answer())
    clock.now_s += 1000 * KEPT_S
    ledger.let_go()
    assert ledger.undelivered() == [answer()]


def test_lines_wait_like_answers(ledger: Ledger):
    ledger.keep_lines((0, "t", "token", "{}"))
    (kept,) = ledger.lines()
    assert kept[1:] == ("t", "token", "{}")
    ledger.drop_lines(kept)
    assert ledger.lines() == []


def test_nobody_else_may_read_it(ledger: Ledger, tmp_path: Path):
    assert stat.S_IMODE((tmp_path / "ledger.db").stat().st_mode) == 0o600
