"""Without the majority: who acts, how it says so, and who leads when both sides meet again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide import decide
from orchestrator.decide.election import next_master
from orchestrator.decide.situation import Situation, situation_of
from orchestrator.model.action import Fence, Follow, ReportPosition, Revive, StopServices, WriteRecord
from orchestrator.model.minority import Claim, Company, Minority, Standing
from orchestrator.model.minority_actions import (
    ClaimOffice,
    EndMinority,
    GiveWay,
    GoActive,
    PartWays,
    RefuseClaim,
)
from orchestrator.model.snapshot import Role, SyncRecord, SyncSetting
from orchestrator.model.spec import Options, Spec
from tests.unit.decide.pictures import (
    INDEX,
    SPEC,
    TERM,
    at,
    detached,
    leader,
    primary,
    replica,
    report,
    reports,
    view,
    voter,
)

PARTED = at(90)
MARK = Minority(TERM, since=1000.0, parted_at=PARTED, updated_before=900.0, updated_at=900.0)
WRITTEN_TO = replace(MARK, updated_at=1100.0)
ALONE = Company(3, {})
LONG_S = SPEC.minority_after_s
BY_MAJORITY = Spec("n1", Options(heal_policy="majority"))
READING = Spec("n1", Options(minority_mode="read_only"))
OFFLINE = Spec("n1", Options(minority_mode="offline"))
OPEN = primary(setting=SyncSetting(), streams={})


def cut_off(**changes):
    """What ``n2`` sees of itself when it has been cut off for long, and reaches nobody."""
    usual = {"cluster": None, "cut_off_s": LONG_S, "company": ALONE, "known_term": TERM, "known_leader": "n1"}
    return replace(replica(database=detached()), **{**usual, **changes})


def standing(**changes):
    return replace(Standing(cut_off=True, active=False, led=False, place=(TERM, 1, 50)), **changes)


def kinds(snapshot, spec=SPEC):
    return [type(action) for action in decide(snapshot, spec).actions]


@pytest.mark.parametrize(
    ("snapshot", "spec"),
    [
        (cut_off(cut_off_s=LONG_S - 1), SPEC),
        (cut_off(company=None), SPEC),
        (cut_off(company=Company(3, {"n3": standing()})), SPEC),
        (cut_off(), OFFLINE),
        (cut_off(minority=MARK), OFFLINE),
    ],
    ids=["not for long", "nobody was asked", "half of the members are there", "offline", "offline since"],
)
def test_a_node_does_without_the_majority_only_if_it_is_to_and_has_lost_it_for_long(snapshot, spec):
    assert situation_of(snapshot, spec) is Situation.CUT_OFF


def test_while_the_members_confirm_it_a_leader_does_not_part_from_them():
    confirmed = cut_off(confirmed_until_s=cut_off().taken_at_s + 1)
    assert situation_of(confirmed, SPEC) is Situation.CONFIRMED


def test_first_the_mark_then_the_writes():
    assert kinds(cut_off()) == [PartWays]
    assert kinds(cut_off(minority=MARK)) == [GoActive]
    acting = decide(cut_off(minority=MARK, database=OPEN), SPEC)
    assert (acting.actions, acting.serves, acting.minority) == ((), True, "active")


def test_a_database_that_was_fenced_comes_back_first():
    assert kinds(cut_off(database=detached(role=Role.STOPPED))) == [Revive]


def test_it_runs_no_workflows():
    busy = cut_off(minority=MARK, database=OPEN, running=SPEC.leader_services)
    assert kinds(busy) == [StopServices]


def test_a_primary_without_a_mark_is_fenced():
    assert kinds(cut_off(database=primary()))[0] is Fence


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ({}, True),
        ({"n3": standing()}, True),
        ({"n3": standing(place=(TERM, 1, 150))}, False),
        ({"n3": standing(place=(TERM, 1, 100))}, False),
        ({"n1": standing(led=True)}, False),
        ({"n3": standing(active=True)}, False),
        ({"n3": standing(cut_off=False)}, False),
    ],
    ids=["alone", "has more", "has less", "same data, later name", "led", "acts already", "not cut off"],
)
def test_one_node_of_the_minority_acts(others, chosen):
    plan = decide(cut_off(company=Company(5, others)), SPEC)
    assert (PartWays in map(type, plan.actions)) == chosen
    assert not plan.serves


def test_who_only_lets_read_says_so_and_takes_no_writes():
    plan = decide(cut_off(), READING)
    assert (plan.actions, plan.serves, plan.minority) == ((), False, "read_only")
    assert kinds(cut_off(database=primary()), READING)[0] is Fence


# The majority is back.


def back(policy=SPEC, *, marked=WRITTEN_TO, **changes):
    """What ``n2`` does when it sees that ``n1`` leads."""
    return kinds(replica(database=detached(role=Role.STOPPED), minority=marked, **changes), policy)


def claimed(**changes):
    return {"claims": {"n2": replace(Claim("n2", TERM, 1100.0), **changes)}}


def test_who_was_written_to_alone_asks_before_it_follows():
    assert back() == [ClaimOffice]
    assert back(cluster=claimed()) == []


@pytest.mark.parametrize(
    "follows",
    [
        back(BY_MAJORITY),
        back(marked=MARK),
        back(cluster=claimed(refused=True)),
        back(cluster=claimed(), claiming_s=SPEC.claim_timeout_s),
    ],
    ids=["that is the policy", "nobody wrote to it", "it was refused", "nobody answers"],
)
def test_it_follows(follows):
    assert follows == [Follow]


@pytest.mark.parametrize(
    ("updated_at", "spec", "answer"),
    [(1099.0, SPEC, GiveWay), (1100.0, SPEC, RefuseClaim), (1099.0, BY_MAJORITY, RefuseClaim)],
    ids=["later there", "not later there", "the majority leads"],
)
def test_the_leader_gives_way_to_what_was_written_later(updated_at, spec, answer):
    assert kinds(leader(cluster=claimed(), database=primary(updated_at=updated_at)), spec) == [answer]


@pytest.mark.parametrize(
    "cluster",
    [
        claimed(term=TERM - 1),
        claimed(refused=True),
        {**claimed(), "paused": True},
        {**claimed(), "health": {}},
    ],
    ids=["asked of another leader", "answered", "paused", "not well yet"],
)
def test_there_is_nothing_to_answer_now(cluster):
    assert not {GiveWay, RefuseClaim} & set(kinds(leader(cluster=cluster, database=primary(updated_at=1.0))))


def test_when_nobody_leads_it_says_where_it_parted_and_when_it_was_written_to():
    fenced = voter(database=primary(), minority=WRITTEN_TO)
    assert kinds(fenced)[0] is Fence
    (told,) = decide(voter(minority=WRITTEN_TO), SPEC).actions
    assert told == ReportPosition(INDEX, eligible=True, updated_at=1100.0)
    (told,) = decide(voter(minority=WRITTEN_TO), BY_MAJORITY).actions
    assert told == ReportPosition(INDEX, eligible=True, updated_at=0.0)


def test_of_those_that_have_everything_who_was_written_to_last_leads():
    ahead, written_to = report("n2", at(100)), report("n3", at(100), updated_at=1100.0)
    assert next_master(view(lease=voter().cluster.lease, reports=reports(ahead, written_to))) == written_to


def test_who_lacks_what_was_acknowledged_does_not_lead_however_late_it_was_written_to():
    ahead, written_to = report("n2", at(100)), report("n3", at(90), updated_at=1100.0)
    assert next_master(view(lease=voter().cluster.lease, reports=reports(ahead, written_to))) == ahead


def test_a_leader_that_wrote_alone_is_on_record_alone_before_it_is_a_leader_like_others():
    assert decide(leader(minority=MARK), SPEC).actions == (
        WriteRecord(SyncRecord(TERM, "n1", 0, frozenset()), leader().cluster.record),
    )
    on_record_alone = leader(
        minority=MARK, cluster={"record": SyncRecord(TERM, "n1", 0, frozenset())}, database=OPEN
    )
    assert EndMinority(TERM) in decide(on_record_alone, SPEC).actions
