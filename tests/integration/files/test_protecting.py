"""REST waits until files are safe: a real Consul, and replicas that report when the test says so."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack

import pytest

from manager.errors import Unavailable
from manager.gateway import Gateway
from orchestrator.clients.consul import Consul
from orchestrator.model.errors import Unfinished
from orchestrator.model.files import FilesReport
from orchestrator.model.snapshot import MembershipState, SyncRecord
from orchestrator.record import membership
from orchestrator.record.membership import Membership
from tests.integration.files.trio import Trio, world
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

LONG_S, SHORT_S = 30.0, 0.3


@pytest.fixture(scope="module")
def surroundings():
    with world() as surroundings:
        yield surroundings


@pytest.fixture
def trio(surroundings, short_path):
    with ExitStack() as stack:
        trio = Trio(surroundings, short_path, stack)
        for name in ("n2", "n3"):
            set_health(trio, name, "passing")
            report(trio, name, 0)
        yield trio


@pytest.fixture
def gateway(trio):
    return Gateway(trio.nodes["n1"].config, consul=lambda: trio.consul)


def set_health(trio, name, status):
    """Have Consul believe that a member's agent and heartbeat are well, or not."""
    checks = [
        {"Node": name, "CheckID": check, "Name": check, "Status": status}
        for check in ("serfHealth", "heartbeat")
    ]
    body = json.dumps({"Node": name, "Address": trio.nodes[name].config.host_ip, "Checks": checks})
    trio.consul._api.http.put(lambda _: None, "/v1/catalog/register", data=body)
    eventually(lambda: ("heartbeat" in trio.consul.health().get(name, ())) is (status == "passing"), 25)


def report(trio, name, generation, term=None):
    member = Consul(trio.consul.config, name)
    member.report_files(FilesReport(term or trio.term, generation))


def in_the_background(gateway):
    """``protect_files`` in a thread; its outcome is in the list when it has ended."""
    outcome = []

    def run():
        try:
            gateway.protect_files(LONG_S)
            outcome.append("safe")
        except Unavailable as error:
            outcome.append(str(error))

    threading.Thread(target=run, daemon=True).start()
    return outcome


def asked_for(trio, before):
    eventually(lambda: trio.record and trio.record.generation > before, 25, "a generation was written")
    return trio.record.generation


def test_it_waits_for_as_many_members_as_confirm_a_commit(trio, gateway):
    trio.consul.write_record(trio.session, SyncRecord(trio.term, "n1", 2, frozenset({"n2", "n3"})))
    before = trio.say(complete=True).generation
    report(trio, "n2", before)
    outcome = in_the_background(gateway)
    generation = asked_for(trio, before)
    report(trio, "n2", generation)
    report(trio, "n3", generation - 1)
    time.sleep(SHORT_S)  # Nothing shall happen, and there is nothing to wait for.
    assert outcome == []
    report(trio, "n3", generation)
    eventually(lambda: outcome == ["safe"], 25, "both have it")


def test_a_newer_generation_is_good_as_well_and_another_term_is_not(trio, gateway):
    before = trio.say(complete=True).generation
    outcome = in_the_background(gateway)
    generation = asked_for(trio, before)
    report(trio, "n2", generation + 5, term=trio.term - 1)
    report(trio, "n3", generation + 5)
    eventually(lambda: outcome == ["safe"], 25, "n3 has more than that")


def test_healthy_replicas_that_are_silent_make_it_unavailable(trio, gateway):
    with pytest.raises(Unavailable, match="not confirmed by enough replicas"):
        gateway.protect_files(SHORT_S)


def test_with_no_healthy_replica_it_is_logged_and_goes_on(trio, gateway, caplog):
    for name in ("n2", "n3"):
        set_health(trio, name, "critical")
    gateway.protect_files(LONG_S)
    assert "Unprotected" in caplog.text


def test_who_has_never_had_all_files_is_not_waited_for(trio, gateway, caplog):
    """A new member's first transfer may take hours."""
    trio.consul._api.kv.delete("cluster-files/n3")
    before = trio.say(complete=True).generation
    outcome = in_the_background(gateway)
    trio.consul.write_record(trio.session, SyncRecord(trio.term, "n1", 2, frozenset({"n2", "n3"})))
    report(trio, "n2", asked_for(trio, before))
    eventually(lambda: outcome == ["safe"], 25, "n2 has it, and n3 counts later")
    trio.consul._api.kv.delete("cluster-files/n2")
    gateway.protect_files(LONG_S)
    assert "Unprotected" in caplog.text


def test_replicas_that_fall_ill_meanwhile_are_not_waited_for(trio, gateway):
    before = trio.say(complete=True).generation
    outcome = in_the_background(gateway)
    asked_for(trio, before)
    for name in ("n2", "n3"):
        set_health(trio, name, "critical")
    eventually(lambda: outcome == ["safe"], 25, "nobody is well any more")


def test_a_leader_that_loses_its_lease_promises_nothing(trio, gateway):
    before = trio.say(complete=True).generation
    outcome = in_the_background(gateway)
    generation = asked_for(trio, before)
    trio.consul.release_lease(trio.session)
    trio.lead("n1")
    report(trio, "n2", generation, term=trio.term)
    eventually(lambda: outcome and "Another term" in outcome[0], 25, "the term is over")
    trio.consul.release_lease(trio.consul.read_lease().session)
    with pytest.raises(Unavailable, match="does not hold the lease"):
        gateway.protect_files(SHORT_S)


def test_two_uploads_at_once_get_generations_of_their_own(trio):
    begun = trio.say(complete=True).generation
    threads = [threading.Thread(target=trio.say, kwargs={"complete": True}) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trio.record.generation == begun + 5


def test_a_change_is_told_without_waiting_and_without_an_error(trio, gateway, caplog):
    before = trio.say(complete=True).generation
    gateway.files_changed()
    assert trio.record.generation == before + 1
    trio.consul.release_lease(trio.session)
    gateway.files_changed()
    assert "were not told" in caplog.text


def test_how_far_each_member_is_can_be_seen(trio, gateway):
    generation = trio.say(complete=True).generation
    report(trio, "n2", generation - 1)
    state = gateway.files_state()
    assert (state["generation"], state["complete"], state["missing"]) == (generation, True, 0)
    assert state["nodes"] == {
        "n1": {"generation": generation, "behind": 0},
        "n2": {"generation": generation - 1, "behind": 1},
        "n3": {"generation": 0, "behind": generation},
    }


def test_a_manager_that_is_alone_has_nothing_to_wait_for(trio):
    config = trio.nodes["n1"].config
    membership.write(config.paths.membership_file, Membership(MembershipState.ALONE))
    alone = Gateway(config, consul=lambda: pytest.fail("Consul is asked"))
    alone.protect_files(SHORT_S)
    alone.files_changed()
    assert alone.files_state() is None


def test_a_restore_keeps_the_sweep_away_and_waits_for_it(trio, gateway):
    mirror = trio.nodes["n1"].mirror
    with gateway.files_held(SHORT_S), pytest.raises(Unfinished), mirror.alone():
        pass
    with mirror.alone(), pytest.raises(Unavailable, match="in use"), gateway.files_held(SHORT_S):
        pass
