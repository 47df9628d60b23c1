"""A cluster is made, joined, left: with every server real, and the loop running on every node."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from demo.bed import Bed
from orchestrator import wiring
from orchestrator.clients.postgres.connection import Connection
from orchestrator.formation import join, pki, remove, start
from orchestrator.formation.join import JoinRequest
from orchestrator.formation.start import StartRequest
from orchestrator.model.errors import Conflict, FormationFailed, NotFound, Unfinished
from orchestrator.model.snapshot import MembershipState, Role
from orchestrator.record import membership
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    with Bed(tmp_path_factory.mktemp("formation"), ["n1", "n2"]) as bed:
        bed.start()
        yield bed


@pytest.fixture(scope="module")
def leader(bed):
    node = bed["n1"]
    clients = wiring.clients_of(node.config, "n1")
    start.start(clients, StartRequest(node.host_ip, "n1", {"check_ttl_multiplier": "2"}), print)
    eventually(lambda: clients.consul.view().announcement, 30, "n1 is announced")
    return clients


@pytest.fixture
def joining(bed):
    return wiring.clients_of(bed["n2"].config, "n2")


def request_of(leader, clients):
    invitation = join.invite(leader, clients.me, clients.config.host_ip)
    relayed = json.loads(json.dumps([invitation.credentials, invitation.required]))
    return JoinRequest(clients.config.host_ip, clients.me, (leader.config.host_ip,), *relayed)


def ask(clients, sql, database="cloudify"):
    config = clients.config
    connection = Connection(
        f"host={config.paths.run} port={config.ports.postgres} user=postgres dbname={database}"
    )
    try:
        return connection.query(sql, timeout_s=10)
    finally:
        connection.close()


class Without:
    """A client of which one call does not work."""

    def __init__(self, real, broken):
        self._real, self._broken = real, broken

    def __getattr__(self, name):
        if name != self._broken:
            return getattr(self._real, name)

        def fail(*_, **__):
            raise Unfinished(f"{name} does not work")

        return fail


def state(clients):
    return membership.read(clients.config.paths.membership_file).state


def test_the_first_node_leads(leader):
    view = leader.consul.view()
    assert view.lease.holder == "n1"
    assert (view.record.leader, view.record.k) == ("n1", 0)
    assert view.members["n1"].options["check_ttl_multiplier"] == 2.0
    eventually(lambda: leader.postgres.read().role is Role.PRIMARY, 30)
    with pytest.raises(Conflict, match="already belongs"):
        start.check(leader.config, StartRequest(leader.config.host_ip, "n9"))


def test_a_manager_that_is_not_empty_does_not_join(leader, joining):
    blueprint = joining.config.paths.files / "blueprint"
    blueprint.write_text("mine")
    with pytest.raises(Conflict, match="1 files"):
        join.join(joining, request_of(leader, joining), print)
    blueprint.unlink()
    assert state(joining) is MembershipState.ALONE
    assert "consul" not in joining.services.running()


@pytest.mark.parametrize("broken", ["base_backup", "wait_receiving"])
def test_a_join_that_fails_leaves_both_sides_as_they_were(leader, joining, broken, monkeypatch):
    monkeypatch.setattr(join, "STREAM_TIMEOUT_S", 1.0)
    ask(joining, "CREATE TABLE IF NOT EXISTS mine ()")
    identity = pki.read_node(joining.config.paths.ssl), pki.read_ca(joining.config.paths.ssl)
    timing = joining.config.timing.model_copy(update={"join_timeout_s": 1.0})
    config = joining.config.model_copy(update={"timing": timing})
    damaged = replace(joining, config=config, postgres=Without(joining.postgres, broken))

    with pytest.raises(FormationFailed, match="does not work"):
        join.join(damaged, request_of(leader, joining), print)

    assert state(joining) is MembershipState.ALONE
    assert (pki.read_node(config.paths.ssl), pki.read_ca(config.paths.ssl)) == identity
    assert joining.postgres.read().role is Role.PRIMARY
    assert ask(joining, "SELECT to_regclass('mine')::text") == [("mine",)]
    assert ask(joining, "CREATE TEMPORARY TABLE writable ()") == []
    assert "consul" not in joining.services.running()
    assert set(leader.consul.view().members) == {"n1"}
    eventually(lambda: len(leader.consul.voters()) == 1, 30, "n2 has no vote")
    assert leader.consul.ready()


def test_after_that_it_joins_and_streams(leader, joining):
    join.join(joining, request_of(leader, joining), print)
    ask(leader, "CREATE TABLE ours ()")
    eventually(lambda: ask(joining, "SELECT to_regclass('ours')::text") == [("ours",)], 30)
    assert ask(joining, "SELECT to_regclass('mine')::text") == [(None,)]
    assert len(leader.consul.voters()) == 2
    assert pki.read_ca(joining.config.paths.ssl) == pki.read_ca(leader.config.paths.ssl)
    passing = {"database", "services", "consul", "heartbeat", "guard"}
    eventually(lambda: leader.consul.health().get("n2") == passing, 30, "n2 is well")
    eventually(lambda: leader.consul.view().record.members == {"n2"}, 30, "commits wait for n2")


def test_what_cannot_be_removed_or_invited(leader, joining):
    with pytest.raises(NotFound):
        remove.remove(leader, "n7")
    with pytest.raises(Conflict, match="active manager"):
        remove.remove(leader, "n1")
    with pytest.raises(Conflict, match="a node 'n2'"):
        join.invite(leader, "n2", "127.0.0.99")
    with pytest.raises(Conflict, match="has the address"):
        join.invite(leader, "n3", joining.config.host_ip)


def test_a_removed_node_is_out_for_good(leader, joining):
    address = joining.config.host_ip
    remove.remove(leader, "n2")
    assert not remove.take_out_of_consul(leader, "n2", address, insist=False)
    remove.stop_being_member(joining)
    eventually(lambda: remove.take_out_of_consul(leader, "n2", address, insist=False), 30, "n2 is gone")
    assert state(joining) is MembershipState.REMOVED
    assert joining.postgres.read().role is Role.STOPPED
    assert leader.consul.ready()
    assert len(leader.consul.voters()) == 1
    eventually(lambda: leader.postgres.read().slots == frozenset(), 30, "the slot of n2 is dropped")
    eventually(lambda: leader.consul.view().record.members == frozenset(), 30, "nothing waits for n2")
    ask(leader, "CREATE TABLE alone_again ()")
    with pytest.raises(Conflict, match="cannot be used again"):
        join.invite(leader, "n2", "127.0.0.99")
    with pytest.raises(Conflict, match="was removed"):
        start.check(joining.config, StartRequest(joining.config.host_ip, "n2"))
