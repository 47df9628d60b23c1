"""What a tick tells the guard and the REST service of its own machine."""

from dataclasses import replace

import pytest

from orchestrator.clients import clock
from orchestrator.model.action import Plan
from orchestrator.model.snapshot import (
    Announcement,
    ClusterView,
    Database,
    Lease,
    MembershipState,
    Snapshot,
)
from orchestrator.record import lease_file
from orchestrator.record.lease_file import LeaseState
from orchestrator.record.status import lease_state


def snapshot(view, *, session="mine", membership=MembershipState.MEMBER, cut_off_s=0.0):
    return Snapshot(
        me="n1",
        taken_at_s=100.0,
        membership=membership,
        cluster=view,
        database=Database(),
        session=session,
        valid_until_s=102.5,
        cut_off_s=cut_off_s,
    )


def view(session, *, announced=None, paused=False, removed=()):
    return ClusterView(
        lease=Lease("n2" if session else None, session, term=4, modified=50),
        announcement=announced and Announcement(announced, "n2", "127.0.0.2", 15432, 2),
        paused=paused,
        removed=frozenset(removed),
    )


@pytest.mark.parametrize(
    ("seen", "settled"),
    [
        (snapshot(view("theirs", announced=4)), True),
        (snapshot(view("theirs", announced=3)), False),
        (snapshot(view("theirs")), False),
        (snapshot(view(None)), False),
        (snapshot(view(None, paused=True)), True),
        (snapshot(view("mine")), False),
        (snapshot(None), False),
        (snapshot(None, cut_off_s=60), True),
    ],
    ids=[
        "another leads",
        "another has won but not announced",
        "another has won for the first time",
        "nobody leads",
        "nobody leads and nobody may",
        "this node has won and is not ready",
        "Consul may be electing",
        "cut off for long",
    ],
)
def test_requests_are_held_only_while_an_election_may_end_soon(seen, settled):
    assert lease_state(seen, Plan("x")).settled is settled


def test_only_a_lease_that_a_consistent_read_showed_is_held():
    assert lease_state(snapshot(view("mine")), Plan("x")).held
    assert not lease_state(snapshot(view("theirs")), Plan("x")).held
    assert not lease_state(snapshot(None), Plan("x")).held


def test_a_removed_node_says_so_and_a_manager_alone_is_its_own_master():
    assert lease_state(snapshot(view("theirs", removed=["n1"])), Plan("x")).removed
    assert lease_state(snapshot(None, membership=MembershipState.ALONE), Plan("x")) == LeaseState()


def test_serving_ends_by_itself_with_the_lease(tmp_path):
    path = tmp_path / "lease.json"
    lease_file.write(path, lease_state(snapshot(view("mine")), Plan("leading", serves=True)))
    state = lease_file.read(path)
    assert state.leads(at_s=102.4)
    assert not state.leads(at_s=102.5)


def test_a_file_that_is_missing_or_broken_is_no_lease(tmp_path):
    path = tmp_path / "lease.json"
    assert lease_file.read(path) is None
    path.write_text('{"held": tr')
    assert lease_file.read(path) is None
    path.write_text('{"unknown": true}')
    assert lease_file.read(path) is None


def gate(tmp_path, seen, **held):
    """What stands in the file after the last step into office of term 4."""
    path = tmp_path / "lease.json"
    lease_file.write(path, replace(lease_state(seen, Plan("leading")), **held))
    lease_file.open_gate(path, 4)
    return lease_file.read(path)


def test_the_last_step_into_office_lets_clients_in_for_as_long_as_the_lease_lasts(tmp_path):
    state = gate(tmp_path, snapshot(view("mine")))
    assert state.leads(at_s=102.4)
    assert not state.leads(at_s=102.5)


@pytest.mark.parametrize(
    ("seen", "differs"),
    [
        (snapshot(view("theirs")), {}),
        (snapshot(view("mine")), {"term": 5}),
        (snapshot(view("mine", removed=["n1"])), {}),
    ],
    ids=["another holds the lease", "of another term", "removed"],
)
def test_it_lets_nobody_in_when_the_last_tick_saw_something_else(tmp_path, seen, differs):
    assert not gate(tmp_path, seen, **differs).leads(at_s=100.0)


def test_the_next_tick_has_the_last_word(tmp_path):
    gate(tmp_path, snapshot(view("mine")))
    lease_file.write(tmp_path / "lease.json", lease_state(snapshot(view("mine")), Plan("handing over")))
    assert not lease_file.read(tmp_path / "lease.json").leads(at_s=100.0)


def test_a_node_that_has_no_file_yet_lets_nobody_in(tmp_path):
    lease_file.open_gate(tmp_path / "lease.json", 4)
    assert lease_file.read(tmp_path / "lease.json") is None


def test_a_lease_from_before_the_machine_was_started_is_none(tmp_path, monkeypatch):
    """Its date may lie far ahead: the clock has begun again since."""
    path = tmp_path / "lease.json"
    lease_file.write(path, LeaseState(member=True, held=True, serving=True, valid_until_s=1e9))
    assert lease_file.read(path).leads(100.0)
    written_at_s = clock.now_s()
    monkeypatch.setattr(clock, "now_s", lambda: written_at_s - 60.0)
    assert lease_file.read(path) is None
