"""What an agent was told once it does once, and what became of it reaches whoever leads."""

from __future__ import annotations

import pytest

from agent.ledger import Ledger
from manager.operations.message import Message, Outcome
from tests.support.agents import WITHIN_S, Bed, bed
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def begin(place: Bed, leader: int = 0, **more) -> tuple[Message, object]:
    """An operation that is running, and the file for which it waits."""
    go_on = place.agent.ran.with_name("go-on")
    message = place.agent.script(f"until [ -e {go_on} ]; do sleep 0.05; done\necho said", **more)
    place.members[leader].send(message)
    eventually(lambda: place.agent.runs_of(message), WITHIN_S, "it runs")
    return message, go_on


def test_a_message_that_comes_twice_while_it_runs_is_ignored(place: Bed):
    leader = place.members[0]
    message, go_on = begin(place)
    leader.send(message)
    later = place.agent.script()
    leader.send(later)
    leader.answer(later)
    go_on.touch()
    leader.answer(message)
    assert place.agent.runs_of(message) == 1
    assert [it.id for it in leader.answers()].count(message.id) == 1


def test_a_message_that_comes_after_its_answer_gets_it_again(place: Bed):
    leader = place.members[0]
    message = place.agent.script()
    leader.send(message)
    leader.answer(message)
    leader.send(message)
    told = eventually(
        lambda: [it for it in leader.answers() if it.id == message.id][1:], WITHIN_S, "it is told again"
    )
    assert told[0].outcome is Outcome.SUCCEEDED
    assert place.agent.runs_of(message) == 1


# That an agent notices a broker that hangs is told by ``test_following``; it takes half a minute.
@pytest.mark.parametrize("how", ["die", pytest.param("hang", marks=pytest.mark.slow)])
def test_an_answer_that_nobody_could_take_is_given_to_the_next_leader(place: Bed, how: str):
    first, second = place.members
    message, go_on = begin(place)
    getattr(first, how)()
    go_on.touch()
    second.lead()
    assert second.answer(message).outcome is Outcome.SUCCEEDED
    assert place.agent.runs_of(message) == 1


def test_a_new_leader_that_asks_for_what_runs_waits_for_it(place: Bed):
    first, second = place.members
    message, go_on = begin(place)
    first.die()
    second.lead()
    second.send(message)
    eventually(second.hears, WITHIN_S, "the agent follows the second member")
    go_on.touch()
    assert second.answer(message).outcome is Outcome.SUCCEEDED
    assert place.agent.runs_of(message) == 1


def test_an_answer_that_died_with_its_leader_is_given_to_the_one_that_asks(place: Bed):
    first, second = place.members
    message = place.agent.script()
    first.send(message)
    first.answer(message)
    first.die()
    second.lead()
    second.send(message)
    assert second.answer(message).outcome is Outcome.SUCCEEDED
    assert place.agent.runs_of(message) == 1


def test_an_agent_that_was_killed_says_what_it_was_doing(place: Bed):
    leader = place.members[0]
    message, _ = begin(place)
    place.agent.kill()
    place.agent.start()
    answer = leader.answer(message)
    assert (answer.outcome, answer.recoverable) == (Outcome.FAILED, False)
    assert "restarted while it ran" in (answer.error or "")
    assert place.agent.runs_of(message) == 1


def test_an_operation_that_is_killed_is_answered(place: Bed):
    leader = place.members[0]
    message, _ = begin(place)
    leader.app.control.broadcast("kill_operations", arguments={"task_ids": [message.task_id]})
    answer = leader.answer(message)
    assert (answer.outcome, answer.error) == (Outcome.FAILED, "It was killed.")


def test_what_may_run_again_is_run_again_by_an_agent_that_was_killed():
    with bed() as made:
        leader = made.members[0]
        message = made.agent.message("manager.operations.builtin.nothing")
        ledger = Ledger(made.agent.folder.ledger_file)
        ledger.open()
        ledger.begin(message, resumable=True)
        leader.lead()
        made.agent.start()
        assert leader.answer(message).outcome is Outcome.SUCCEEDED
