"""The table itself: complete, pure, and the same as what the documentation says."""

from __future__ import annotations

from typing import get_args

import pytest

from orchestrator.act import PERFORMERS
from orchestrator.decide import PLAYBOOK, decide
from orchestrator.decide.situation import Situation
from orchestrator.model.action import Action
from scripts.write_playbook import PAGE, WHEN, actions_of, page
from tests.unit.decide.pictures import FREE, SPEC, leader, replica, voter

ACTIONS = get_args(Action)
RULES = sorted({rule for rules in PLAYBOOK.values() for rule in rules}, key=lambda rule: rule.__name__)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_every_action_says_in_one_sentence_what_it_does(action):
    assert action.summary.endswith(".")
    assert action.summary.count(". ") == 0
    assert action.__doc__


def test_every_action_is_decided_by_a_rule_and_can_be_performed():
    decided = {action for rule in RULES for action in actions_of(rule)}
    assert decided == set(ACTIONS) == set(PERFORMERS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_says_why(rule):
    assert (rule.__doc__ or "").strip().endswith(".")


def test_every_situation_is_in_the_table_and_explained():
    assert set(PLAYBOOK) == set(WHEN) == set(Situation)


@pytest.mark.parametrize("snapshot", [leader(), replica(), voter(), leader(cluster={"lease": FREE})])
def test_the_same_snapshot_gives_the_same_plan(snapshot):
    assert decide(snapshot, SPEC) == decide(snapshot, SPEC)


def test_while_all_is_well_nothing_is_done():
    for snapshot in (leader(), replica()):
        assert decide(snapshot, SPEC).actions == ()


def test_a_plan_names_the_situation_and_keeps_the_order_of_the_rules():
    plan = decide(voter(), SPEC)
    assert (plan.situation, plan.serves) == ("leaderless", False)
    assert decide(leader(), SPEC).serves


def test_the_page_says_what_the_code_does():
    assert PAGE.read_text() == page(), "run python -m scripts.write_playbook"
