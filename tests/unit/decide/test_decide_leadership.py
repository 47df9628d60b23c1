"""The rules around the lease: each applies when it should, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide import leadership
from orchestrator.decide.election import CANDIDATE_CHECKS, is_eligible
from orchestrator.model.action import (
    AcquireLease,
    Announce,
    Detach,
    EndSession,
    EndSwitchover,
    Fence,
    HandOver,
    ReportPosition,
    StepDown,
)
from orchestrator.model.snapshot import SESSION_CHECKS, Database, Lease, Promise, Role, Switchover
from tests.unit.decide.pictures import (
    FREE,
    INDEX,
    RECORD,
    SPEC,
    TERM,
    at,
    detached,
    leader,
    primary,
    replica,
    report,
    reports,
    standby,
    voter,
)

STOPPED = Database()
BOTH = reports(report("n2", at(100)), report("n3", at(90)))
RELEASED = Switchover(TERM, "n2", at(100))
WELL = dict.fromkeys(("n1", "n2", "n3"), CANDIDATE_CHECKS | SESSION_CHECKS)


def test_cut_off_it_fences_when_its_time_is_over():
    late = replace(leader(), cluster=None, taken_at_s=1002.5)
    assert isinstance(leadership.fence_when_cut_off(late, SPEC), Fence)
    assert leadership.fence_when_cut_off(replace(late, taken_at_s=1002.4), SPEC) is None
    assert leadership.fence_when_cut_off(replace(late, database=standby()), SPEC) is None


def test_a_primary_beside_another_leader_is_fenced():
    assert isinstance(leadership.fence_stray_primary(replica(database=primary()), SPEC), Fence)
    assert leadership.fence_stray_primary(replica(), SPEC) is None


@pytest.mark.parametrize(
    ("changes", "fenced"),
    [
        ({}, False),  # The very last leader can simply take its lease back.
        ({"record": replace(RECORD, leader="n2")}, True),
        (
            {"record": replace(RECORD, term=TERM - 1)},
            True,
        ),  # Somebody has led since, and got nowhere perhaps.
        ({"record": None}, False),
    ],
)
def test_a_remnant_is_fenced_and_does_not_report(changes, fenced):
    snapshot = leader(cluster={"lease": FREE, **changes}, promise=Promise(round=INDEX))
    assert isinstance(leadership.fence_remnant(snapshot, SPEC), Fence) == fenced
    assert (leadership.report(snapshot, SPEC) is None) == fenced
    assert leadership.fence_remnant(replace(snapshot, database=detached()), SPEC) is None


@pytest.mark.parametrize(
    ("snapshot", "detaches"),
    [
        (voter(promise=Promise(round=INDEX - 1)), True),
        (voter(database=standby()), True),  # Promised, and killed before it let go.
        (voter(database=detached(receiving=True)), True),
        (voter(), False),
        (leader(cluster={"lease": FREE}), True),  # A primary promises as well.
    ],
)
def test_detach(snapshot, detaches):
    assert leadership.detach(snapshot, SPEC) == (Detach(INDEX) if detaches else None)


@pytest.mark.parametrize(
    ("snapshot", "reported"),
    [
        (voter(), ReportPosition(INDEX, eligible=True)),
        (voter(services_failing_s=1.0), ReportPosition(INDEX, eligible=False)),
        (voter(cluster={"reports": BOTH}), None),
        (voter(cluster={"reports": BOTH}, services_failing_s=1.0), ReportPosition(INDEX, eligible=False)),
        (
            voter(cluster={"reports": reports(replace(BOTH["n2"], round=9))}),
            ReportPosition(INDEX, eligible=True),
        ),
        (
            voter(cluster={"reports": reports(replace(BOTH["n2"], primary=True))}),
            ReportPosition(INDEX, eligible=True),
        ),
        (voter(promise=Promise(round=INDEX + 1)), None),  # A stale read.
        (voter(database=STOPPED), None),
    ],
)
def test_report(snapshot, reported):
    assert leadership.report(snapshot, SPEC) == reported


@pytest.mark.parametrize(
    ("changes", "eligible"),
    [
        ({}, True),
        ({"database_failing_s": 0.1}, False),
        ({"services_failing_s": 0.1}, False),
        ({"database": STOPPED}, False),
        ({"promise": Promise(INDEX, stepped_down=TERM), "cluster": {"lease_seen_s": 5.0}}, False),
        ({"promise": Promise(INDEX, stepped_down=TERM), "cluster": {"lease_seen_s": 10.0}}, True),
        ({"promise": Promise(INDEX, stepped_down=TERM - 1), "cluster": {"lease_seen_s": 5.0}}, True),
        # Consul would give it no session: its guard fails by what the servers know.
        ({"cluster": {"health": {"n1": CANDIDATE_CHECKS}}}, False),
    ],
)
def test_eligible(changes, eligible):
    assert is_eligible(voter(**changes), SPEC) == eligible


@pytest.mark.parametrize(
    ("snapshot", "acquires"),
    [
        (voter(cluster={"reports": BOTH}), True),
        (voter(), False),
        (voter(cluster={"reports": reports(report("n2", at(90)), report("n3", at(100)))}), False),
        (voter(cluster={"reports": BOTH}, services_failing_s=1.0), False),
        (voter(cluster={"reports": BOTH}, promise=Promise(round=INDEX + 1)), False),
    ],
)
def test_acquire_lease(snapshot, acquires):
    cause = "n1 gave the lease up"
    assert leadership.acquire_lease(snapshot, SPEC) == (
        AcquireLease(INDEX, 60.0, cause) if acquires else None
    )


@pytest.mark.parametrize(
    ("suspicions", "ended"),
    [
        ({"n2": TERM, "n3": TERM}, True),
        ({"n2": TERM}, False),
        ({"n2": TERM, "n3": TERM - 1}, False),
        ({"n2": TERM, "n9": TERM}, False),  # n9 is no member.
    ],
)
def test_end_unreachable_leader(suspicions, ended):
    snapshot = replica(cluster={"suspicions": suspicions})
    assert isinstance(leadership.end_unreachable_leader(snapshot, SPEC), EndSession) == ended


def test_while_the_cluster_is_paused_no_leader_is_ended():
    paused = {"suspicions": {"n2": TERM, "n3": TERM}, "paused": True}
    assert leadership.end_unreachable_leader(replica(cluster=paused), SPEC) is None


def test_suspicions_of_the_dead_do_not_count():
    changes = {"suspicions": {"n2": TERM, "n3": TERM}, "health": {"n2": frozenset({"heartbeat"})}}
    assert leadership.end_unreachable_leader(replica(cluster=changes), SPEC) is None


def test_the_leader_does_not_end_itself():
    snapshot = leader(cluster={"suspicions": {"n2": TERM, "n3": TERM}})
    assert leadership.end_unreachable_leader(snapshot, SPEC) is None


def test_a_session_of_an_earlier_life_is_ended():
    ended = leadership.end_own_stale_session(leader(session="new"), SPEC)
    assert (ended.session, ended.term) == ("s1", TERM)
    assert leadership.end_own_stale_session(leader(), SPEC) is None
    assert leadership.end_own_stale_session(replica(), SPEC) is None


NOT_RECEIVING = {"health": {name: CANDIDATE_CHECKS - {"database"} for name in ("n2", "n3")}}
"""Who follows a leader whose database is gone has nothing to receive, and its own check fails."""


@pytest.mark.parametrize(
    ("failing_s", "steps_down"),
    [(0.1, False), (SPEC.drop_after_s - 0.1, False), (SPEC.drop_after_s, True)],
)
def test_a_leader_whose_database_cannot_be_started_is_not_kept_in_office_by_that(failing_s, steps_down):
    snapshot = leader(database_failing_s=failing_s, cluster=NOT_RECEIVING)
    assert isinstance(leadership.step_down(snapshot, SPEC), StepDown) == steps_down


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({}, None),
        ({"database_failing_s": 9.0, "cluster": {"health": {}}}, None),
        ({"database_failing_s": 0.1}, StepDown(TERM, "its database is down")),
        ({"services_failing_s": 10.0}, HandOver(TERM, "n3")),
        ({"services_failing_s": 9.0}, None),
        ({"database_failing_s": 0.1, "cluster": {"health": {}}}, None),  # Nobody could do better.
        ({"database_failing_s": 0.1, "cluster": {"record": None}}, None),
        ({"database_failing_s": 0.1, "cluster": {"announcement": None}}, None),
        ({"database_failing_s": 0.1, "cluster": {"paused": True}}, None),
    ],
)
def test_step_down(changes, action):
    assert leadership.step_down(leader(**changes), SPEC) == action


def test_announce_once_a_term():
    assert leadership.announce(leader(), SPEC) is None
    assert leadership.announce(leader(cluster={"announcement": None}), SPEC) == Announce(TERM)
    assert leadership.announce(leader(cluster={"lease": Lease("n1", "s1", 6, 60)}), SPEC) == Announce(6)


def test_the_leader_hands_over_when_it_is_asked():
    asked = {"switchover": Switchover(TERM, "n2")}
    assert leadership.hand_over(leader(cluster=asked), SPEC) == HandOver(TERM, "n2")
    assert leadership.hand_over(replica(cluster=asked), SPEC) is None
    assert leadership.hand_over(leader(), SPEC) is None


@pytest.mark.parametrize(
    ("snapshot", "takes"),
    [
        (voter(cluster={"switchover": RELEASED}), True),
        (voter(cluster={"switchover": replace(RELEASED, target="n3")}), False),
        (voter(cluster={"switchover": replace(RELEASED, released_at=at(101))}), False),
        (voter(cluster={"switchover": replace(RELEASED, released_at=None)}), False),
        (voter(cluster={"switchover": RELEASED}, database=Database(Role.STOPPED)), False),
        (voter(), False),
    ],
)
def test_take_over(snapshot, takes):
    assert (leadership.take_over(snapshot, SPEC) is not None) == takes


def test_a_switchover_ends_with_its_term():
    old, present = Switchover(TERM - 1, "n2"), Switchover(TERM, "n2")
    assert isinstance(leadership.end_switchover(leader(cluster={"switchover": old}), SPEC), EndSwitchover)
    assert leadership.end_switchover(leader(cluster={"switchover": present}), SPEC) is None
    assert leadership.end_switchover(leader(), SPEC) is None


@pytest.mark.parametrize(
    ("snapshot", "serves"),
    [
        (leader(), True),
        (replica(), False),
        (replace(leader(), cluster=None), False),
        (leader(cluster={"announcement": None}), False),
        (leader(cluster={"record": replace(RECORD, term=TERM - 1)}), False),
        (leader(database=primary(read_only=True)), False),
        (leader(database=standby()), False),
        (leader(cluster={"switchover": Switchover(TERM, "n2")}), True),  # Until its database is read-only.
        (leader(cluster={"switchover": Switchover(TERM, "n2")}, database=primary(read_only=True)), False),
        (leader(cluster={"switchover": Switchover(TERM - 1, "n2")}), True),
    ],
)
def test_serves(snapshot, serves):
    assert leadership.serves(snapshot) == serves


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"suspicions": {"n2": TERM, "n3": TERM}}, "n1 could not be reached by n2, n3"),
        (
            {"health": {**WELL, "n1": frozenset({"consul", "database"})}},
            "n1 fails: guard, heartbeat, services",
        ),
        ({}, "n1 gave the lease up"),
        ({"record": replace(RECORD, leader="n2", members=frozenset({"n3"}))}, "its own lease was lost"),
    ],
)
def test_an_election_says_what_it_came_from(changes, cause):
    acquired = leadership.acquire_lease(voter(cluster={"reports": BOTH, **changes}), SPEC)
    assert acquired.cause == cause
