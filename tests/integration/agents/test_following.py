"""An agent follows whoever leads."""

from __future__ import annotations

import pytest

from agent.validate import validated
from manager.operations.message import Outcome
from orchestrator.formation import pki
from tests.support.agents import WITHIN_S, Bed, bed
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


def test_it_answers_who_leads_though_that_is_not_the_first_member():
    with bed() as made:
        leader = made.members[1]
        leader.lead()
        made.agent.start()
        # An operation's answer goes through the ledger, and that of a command over the agent's connection.
        message = made.agent.script()
        leader.send(message)
        assert leader.answer(message).outcome is Outcome.SUCCEEDED
        eventually(leader.hears, WITHIN_S, "the agent answers a command")


def test_it_believes_no_member_whose_certificate_is_of_another_ca():
    with bed() as made:
        first = made.members[0]
        foreign = first.config.paths.ssl.parent / "foreign"
        pki.ensure_ca(foreign)
        made.agent.folder.ca_file.write_text((foreign / "ca.pem").read_text())
        first.lead()
        told = validated(made.agent.folder)
        assert not told["broker"]["ok"]
        assert "CERTIFICATE_VERIFY_FAILED" in told["broker"]["others"][first.host]
        made.agent.start()
        eventually(
            lambda: "CERTIFICATE_VERIFY_FAILED" in made.agent.said(), WITHIN_S, "it refuses the member"
        )
        message = made.agent.script()
        first.send(message)
        made.trust(first.config)
        assert first.answer(message).outcome is Outcome.SUCCEEDED
        assert made.agent.runs_of(message) == 1
