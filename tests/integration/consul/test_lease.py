"""The lease against real servers: one holder, growing terms, and writes that come late are refused."""

from __future__ import annotations

import pytest

from orchestrator.clients.consul import connection, keys
from orchestrator.model.errors import ConsulUnavailable, LeaseLost, Stale, StaleTerm
from orchestrator.model.snapshot import Announcement, Lease, Switchover, SyncRecord
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def record(term, k=1, leader="n1"):
    return SyncRecord(term, leader, k, frozenset({"n2", "n3"}))


def test_a_lease_that_was_never_held_is_free(cluster):
    assert cluster[0].client.read_lease() == Lease(None, None, 0, 0)


def test_one_holds_the_lease_and_terms_and_rounds_grow(lead):
    first, first_session = lead(0)
    second, second_session = lead(1)

    assert first.acquire_lease(first_session, 0)
    assert not second.acquire_lease(second_session)
    held = second.read_lease()
    assert (held.holder, held.session, held.term) == ("n1", first_session, 1)

    first.release_lease(first_session)
    free = second.read_lease()
    assert free.free
    assert free.holder is None
    assert free.modified > held.modified

    assert second.acquire_lease(second_session, free.modified)
    assert first.read_lease().term == 2
    assert first.read_lease().holder == "n2"


def test_a_lease_is_not_taken_on_an_outdated_round(lead):
    first, first_session = lead(0)
    second, second_session = lead(1)
    assert not first.acquire_lease(first_session, 7)
    assert first.acquire_lease(first_session, 0)
    first.release_lease(first_session)
    outdated = first.read_lease().modified
    assert second.acquire_lease(second_session, outdated)
    second.release_lease(second_session)

    assert not first.acquire_lease(first_session, outdated)
    assert not first.acquire_lease(first_session, 0)


def test_a_session_that_ended_takes_no_lease(lead):
    client, session = lead(0)
    client.destroy_session(session)
    assert not client.acquire_lease(session)


def test_a_session_is_bound_to_the_checks_of_its_node(lead):
    client, session = lead(0)
    _, info = client._api.session.info(session)
    assert set(info["Checks"]) == {"serfHealth", "heartbeat", "guard"}
    assert info["LockDelay"] == 0
    assert info["Behavior"] == "release"


def test_no_session_is_made_while_a_check_fails(lead):
    client, _ = lead(0)
    client.fail_check("heartbeat", "not well")
    eventually(lambda: "heartbeat" not in client.health()["n1"])
    with pytest.raises(ConsulUnavailable, match="heartbeat"):
        client.create_session()


def test_silence_frees_the_lease_after_the_time_to_live(lead, cluster):
    client, session = lead(0, ttl_s=1.0)
    client.pass_check("heartbeat")
    assert client.acquire_lease(session)
    watcher = cluster[1].client
    index = watcher.wait_for_change(0, 1)
    while not watcher.read_lease().free:
        index = watcher.wait_for_change(index, 5)
    assert client.read_lease().free


def test_a_failing_heartbeat_frees_the_lease_at_once(lead, cluster):
    client, session = lead(0)
    assert client.acquire_lease(session)
    client.fail_check("heartbeat", "the tick found a fault")
    eventually(lambda: cluster[1].client.read_lease().free, 15)


def test_a_guard_that_is_gone_frees_the_lease(lead, guards, cluster):
    client, session = lead(0)
    assert client.acquire_lease(session)
    guards[0].close()
    eventually(lambda: cluster[1].client.read_lease().free, 15)


def test_anyone_can_end_a_session(lead, cluster):
    client, session = lead(0)
    assert client.acquire_lease(session)
    cluster[2].client.destroy_session(session)
    assert client.read_lease().free


def test_the_holder_writes_what_only_it_may_write(lead):
    client, session = lead(0)
    client.acquire_lease(session)
    announcement = Announcement(1, "n1", "127.0.0.1", 5432, 3)
    client.announce(session, announcement)
    client.write_record(session, record(1))
    client.write_record(session, record(1, k=0))
    client.put_switchover(session, Switchover(1, "n2"))
    view = client.view()
    assert view.announcement == announcement
    assert view.record == record(1, k=0)
    assert view.switchover == Switchover(1, "n2")


def test_who_lost_the_lease_writes_nothing(lead):
    client, session = lead(0)
    client.acquire_lease(session)
    client.release_lease(session)
    with pytest.raises(LeaseLost):
        client.write_record(session, record(1))
    assert client.view().record is None


def test_the_same_session_in_a_later_term_writes_nothing_of_the_earlier(lead):
    client, session = lead(0)
    client.acquire_lease(session)
    client.release_lease(session)
    client.acquire_lease(session)
    with pytest.raises(StaleTerm):
        client.write_record(session, record(1))


def test_a_lease_lost_between_reading_and_writing_is_noticed_by_consul(lead, cluster, monkeypatch):
    client, session = lead(0)
    client.acquire_lease(session)
    read = client._pairs

    def read_and_lose(prefix):
        pairs = read(prefix)
        cluster[1].client.destroy_session(session)
        return pairs

    monkeypatch.setattr(client, "_pairs", read_and_lose)
    with pytest.raises(LeaseLost):
        client.write_record(session, record(1))


def test_a_record_that_comes_late_does_not_replace_a_newer_one(lead, cluster, monkeypatch):
    """Consul may carry out a write after its writer has given up and decided anew."""
    client, session = lead(0)
    client.acquire_lease(session)
    again = cluster[0].client
    read = client._pairs

    def overtaken(prefix):
        pairs = read(prefix)
        again.write_record(session, record(1, k=0))
        return pairs

    monkeypatch.setattr(client, "_pairs", overtaken)
    with pytest.raises(Stale, match="late"):
        client.write_record(session, record(1, k=1))
    assert again.view().record == record(1, k=0)


def test_a_blocking_query_wakes_when_the_lease_is_freed(lead, cluster):
    client, session = lead(0)
    client.acquire_lease(session)
    watcher = cluster[2].client
    index = watcher.wait_for_change(0, 1)
    client.release_lease(session)
    assert watcher.wait_for_change(index, 10) > index


def test_a_blocking_query_ends_when_nothing_changes(cluster):
    client = cluster[0].client
    client.set_paused(True)
    index = client.wait_for_change(0, 1)
    assert client.wait_for_change(index, 0.2) == index


def test_an_index_that_went_back_starts_anew():
    assert connection.next_index(100, "7") == 0
    assert connection.next_index(0, None) == 1
    assert connection.next_index(5, "5") == 5
    assert keys.history(12) == "history/00000000000000000012"
