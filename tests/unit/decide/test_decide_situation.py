"""Exactly one situation applies, and the order of precedence is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide import PLAYBOOK
from orchestrator.decide.situation import Situation, situation_of, view_of
from orchestrator.model.snapshot import MembershipState, Switchover
from tests.unit.decide.pictures import FREE, HELD, SPEC, TERM, at, leader, replica, voter

ASKED = Switchover(TERM, "n2")
RELEASED = Switchover(TERM, "n2", at(100))


@pytest.mark.parametrize(
    ("snapshot", "situation"),
    [
        (leader(), "leading"),
        (replica(), "following"),
        (voter(), "leaderless"),
        (leader(session="another"), "following"),
        (leader(cluster={"lease": FREE}), "leaderless"),
        (replace(leader(), cluster=None), "cut_off"),
        # A pause stops elections, and nothing else.
        (leader(cluster={"paused": True}), "leading"),
        (replica(cluster={"paused": True}), "following"),
        (voter(cluster={"paused": True}), "paused"),
        # Whoever led last may take its lease back: that is no failover.
        (leader(cluster={"lease": FREE, "paused": True}), "leaderless"),
        (leader(cluster={"lease": FREE, "paused": True, "record": None}), "paused"),
        (leader(membership=MembershipState.ALONE), "alone"),
        (leader(membership=MembershipState.JOINING), "alone"),
        (leader(membership=MembershipState.REMOVED), "removed"),
        (leader(cluster={"removed": frozenset({"n1"})}), "removed"),
        (leader(cluster={"removed": frozenset({"n1"}), "paused": True}), "removed"),
        (leader(cluster={"switchover": ASKED, "paused": True}), "handing_over"),
    ],
)
def test_situation(snapshot, situation):
    assert situation_of(snapshot, SPEC) == situation


@pytest.mark.parametrize(
    ("snapshot", "hands_over"),
    [
        (leader(cluster={"switchover": ASKED}), True),
        (replica(cluster={"switchover": ASKED}), False),  # Before the release it concerns only the leader.
        (leader(cluster={"switchover": replace(ASKED, term=TERM - 1)}), False),
        (voter(cluster={"switchover": RELEASED, "lease_seen_s": 1.0}), True),
        (voter(cluster={"switchover": RELEASED, "lease_seen_s": 11.0}), False),  # The target had its time.
        (voter(cluster={"switchover": ASKED}), False),  # The leader died before it released anything.
        (leader(cluster={"switchover": RELEASED, "lease": HELD}), False),
    ],
)
def test_handing_over(snapshot, hands_over):
    assert (situation_of(snapshot, SPEC) is Situation.HANDING_OVER) == hands_over


def test_every_situation_has_its_rules():
    assert set(PLAYBOOK) == set(Situation)


def test_a_rule_that_needs_the_cluster_says_so():
    with pytest.raises(ValueError, match="nothing is known"):
        view_of(replace(leader(), cluster=None))
