"""An operator has a node lead that may lack acknowledged writes: when that counts, and when it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide import leadership
from orchestrator.decide.election import next_master
from orchestrator.model.action import AcquireLease
from orchestrator.model.snapshot import Forced, Member, SyncRecord
from tests.unit.decide.pictures import FREE, INDEX, RECORD, SPEC, TERM, at, report, reports, view, voter

ALONE = SyncRecord(TERM, "n1", 0, frozenset())
WORD = Forced(INDEX, "n2")
TWO = (report("n2", at(90)), report("n3", at(95)))


def chosen(*given, record=ALONE, forced=WORD):
    master = next_master(view(lease=FREE, record=record, reports=reports(*given), forced=forced))
    return master.node if master else None


def test_without_a_word_nobody_leads_in_the_place_of_one_that_was_alone():
    assert chosen(*TWO, forced=None) is None


def test_the_node_that_was_named_leads_also_when_another_one_has_more():
    assert chosen(*TWO) == "n2"


@pytest.mark.parametrize(
    ("given", "record", "forced"),
    [
        (TWO, ALONE, Forced(INDEX - 1, "n2")),  # It was meant for another election.
        (TWO[1:], ALONE, WORD),  # It has not let go of the old leader.
        ((replace(TWO[0], eligible=False), TWO[1]), ALONE, WORD),  # It is not well.
        ((report("n2", at(90)),), RECORD, WORD),  # Somebody else has what was acknowledged: wait for it.
    ],
)
def test_when_the_word_does_not_count(given, record, forced):
    assert chosen(*given, record=record, forced=forced) is None


@pytest.mark.parametrize("primary", [True, False])
def test_the_old_leader_is_back_and_has_everything(primary):
    assert chosen(*TWO, report("n1", at(99), primary=primary)) == "n1"


def acquired(**changes):
    cluster = {"record": ALONE, "reports": reports(*TWO), "forced": WORD, **changes}
    return leadership.acquire_lease(voter(cluster=cluster), SPEC)


def test_the_lease_is_taken_when_its_last_holder_cannot_believe_in_it_any_more():
    assert acquired(lease_seen_s=SPEC.alone_after_s - 0.1) is None
    assert isinstance(acquired(lease_seen_s=SPEC.alone_after_s), AcquireLease)


def test_a_leader_with_a_longer_time_to_live_is_waited_for_longer():
    patient = {"n1": Member("n1", "10.0.0.1", options={"check_ttl_multiplier": 3})}
    members = {**view().members, **patient}
    assert acquired(lease_seen_s=2 * SPEC.alone_after_s, members=members) is None
    assert acquired(lease_seen_s=3 * SPEC.alone_after_s, members=members) is not None
