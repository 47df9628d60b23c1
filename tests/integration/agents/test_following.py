"""An agent follows whoever leads."""

from __future__ import annotations

import pytest

from manager.operations.message import Outcome
from tests.support.agents import WITHIN_S, Bed
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def test_it_runs_what_the_leader_sends(place: Bed):
    leader = place.members[0]
    message = place.agent.script("echo done")
    leader.send(message)
    assert leader.answer(message).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("how", ["die", "hang"])
def test_it_finds_the_next_leader_however_the_last_one_went(place: Bed, how: str):
    first, second = place.members
    getattr(first, how)()
    second.lead()
    eventually(second.hears, WITHIN_S, "the agent follows the second member")
    assert place.agent.folder.active == second.host
