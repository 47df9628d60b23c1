from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.model.errors import Conflict, NotFound
from orchestrator.model.history import HistoryEntry
from orchestrator.model.lsn import Lsn, Position
from orchestrator.model.snapshot import Member, NodeStatus, Report, Role, Switchover
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

N2 = Member("n2", "127.0.0.2", options={"check_ttl_multiplier": 2.0}, ssh_host_key="ssh-ed25519 AAAA")
REPORT = Report("n1", 9, Position(2, Lsn(4711)), primary=False, eligible=True)


def test_a_view_holds_what_was_written(cluster):
    client = cluster[0].client
    status = NodeStatus("n1", "FOLLOWING", Role.STANDBY, Position(1, Lsn(7)), "n2", ("a plan",), "0.1")
    client.put_member(N2)
    client.report(REPORT)
    client.suspect(3)
    client.put_status(status)
    client.put_switchover(None, Switchover(3, "n2", Position(1, Lsn(1))))
    client.set_paused(True)

    view = cluster[1].client.view()
    assert view.members == {"n2": N2}
    assert view.reports == {"n1": REPORT}
    assert view.suspicions == {"n1": 3}
    assert view.statuses == {"n1": status}
    assert view.switchover == Switchover(3, "n2", Position(1, Lsn(1)))
    assert view.paused
    assert view.lease.free


def test_what_was_said_can_be_taken_back(cluster):
    client = cluster[0].client
    client.suspect(3)
    client.suspect(None)
    client.set_paused(True)
    client.set_paused(False)
    view = client.view()
    assert view.suspicions == {}
    assert not view.paused


def test_only_the_switchover_of_its_term_is_cleared(cluster):
    client = cluster[0].client
    client.clear_switchover(1)
    client.put_switchover(None, Switchover(2, "n2"))
    client.clear_switchover(1)
    assert client.view().switchover == Switchover(2, "n2")
    client.clear_switchover(2)
    assert client.view().switchover is None


def test_a_removed_member_is_gone_and_cannot_come_back(cluster):
    client = cluster[0].client
    client.put_member(replace(N2, name="n1"))
    client.report(REPORT)
    client.put_status(NodeStatus("n1"))
    client.remove_member("n1")
    view = client.view()
    assert (view.members, view.reports, view.statuses) == ({}, {}, {})
    assert view.removed == {"n1"}
    with pytest.raises(Conflict, match="removed"):
        client.put_member(replace(N2, name="n1"))


def test_a_forgotten_member_can_come_back(cluster):
    client = cluster[0].client
    client.put_member(N2)
    client.forget_member("n2")
    client.put_member(N2)
    assert client.view().members == {"n2": N2}


def test_options_are_replaced(cluster):
    client = cluster[0].client
    client.put_member(N2)
    client.update_options("n2", {"sync_mode": "async"})
    assert client.view().members["n2"] == replace(N2, options={"sync_mode": "async"})
    with pytest.raises(NotFound, match="n9"):
        client.update_options("n9", {})


def test_history_is_numbered_and_read_from_the_end(cluster):
    for place, kind in enumerate(("start", "join", "failover")):
        cluster[place].client.append_history(HistoryEntry(1.5, "n1", kind, "a summary", term=place))
    newest = cluster[0].client.history(2)
    assert [(entry.number, entry.kind, entry.term) for entry in newest] == [
        (2, "join", 1),
        (3, "failover", 2),
    ]
    assert cluster[0].client.history(0) == ()


def test_a_status_wakes_nobody(cluster):
    client = cluster[0].client
    client.set_paused(True)
    index = client.wait_for_change(0, 1)
    client.put_status(NodeStatus("n1"))
    assert client.wait_for_change(index, 0.2) == index


def test_writing_the_same_again_wakes_nobody(cluster):
    client = cluster[0].client
    client.report(REPORT)
    index = client.wait_for_change(0, 1)
    client.report(REPORT)
    assert client.wait_for_change(index, 0.2) == index


def test_checks_keep_their_state_when_registered_again(lead):
    client, session = lead(0)
    client.acquire_lease(session)
    client.register_checks(30.0)
    assert not client.read_lease().free
    assert "heartbeat" in client.health()["n1"]


def test_another_time_to_live_is_taken_over(lead):
    client, _ = lead(0, ttl_s=30.0)
    client.register_checks(0.5)
    eventually(lambda: "heartbeat" not in client.health()["n1"], 25)


def test_a_check_that_the_agent_forgot_is_registered_again(cluster):
    client = cluster[0].client
    client.pass_check("database")
    eventually(lambda: "database" in cluster[1].client.health()["n1"], 25)
    client.fail_check("database", "does not answer")
    eventually(lambda: "database" not in cluster[1].client.health()["n1"], 25)


def test_a_change_of_health_wakes_the_watcher(lead, cluster):
    client, _ = lead(0)
    watcher = cluster[1].client
    index = watcher.wait_for_health(0, 1)
    client.fail_check("heartbeat", "not well")
    assert watcher.wait_for_health(index, 10) > index
