"""When the workflows of an earlier leader are taken up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide import decide
from orchestrator.decide.services import start_services_alone
from orchestrator.decide.workflows import resume_workflows
from orchestrator.model.action import ResumeWorkflows, StartServices
from orchestrator.model.snapshot import Database, MembershipState
from tests.unit.decide.pictures import SPEC, TERM, leader, primary


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (leader(resumed_term=0), ResumeWorkflows(TERM)),
        (leader(resumed_term=TERM - 1), ResumeWorkflows(TERM)),
        (leader(resumed_term=TERM), None),
        (leader(resumed_term=0, database=primary(read_only=True)), None),
        (leader(resumed_term=0, cluster={"record": None}), None),
    ],
)
def test_a_leader_that_serves_takes_them_up_once_in_each_term(seen, wanted):
    assert resume_workflows(seen, SPEC) == wanted


def test_whoever_goes_on_with_them_is_started_first():
    seen = leader(resumed_term=0, running=frozenset())
    chain, *_ = decide(seen, SPEC).parts()
    assert [type(action).__name__ for action in chain.actions] == ["StartServices", "ResumeWorkflows"]


def test_a_manager_that_is_alone_runs_what_a_leader_runs_and_one_that_joins_does_not():
    alone = leader(membership=MembershipState.ALONE, cluster=None, running=frozenset())
    assert start_services_alone(alone, SPEC) == StartServices(SPEC.leader_services)
    assert start_services_alone(replace(alone, running=SPEC.leader_services), SPEC) is None
    assert start_services_alone(replace(alone, database=Database()), SPEC) is None
    assert start_services_alone(replace(alone, membership=MembershipState.JOINING), SPEC) is None
