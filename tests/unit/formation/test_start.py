from __future__ import annotations

import json

import pytest

from orchestrator.clients import consul_agent
from orchestrator.config import NODE_NAME
from orchestrator.formation import pki, start
from orchestrator.formation.start import StartRequest
from orchestrator.model.errors import BadOption, Conflict, FormationFailed, Refused
from orchestrator.model.snapshot import MembershipState, SyncRecord
from orchestrator.record import membership, promises, session
from orchestrator.record.membership import Membership

REQUEST = StartRequest("127.0.0.1", "n2", {"check_ttl_multiplier": "2", "sync_mode": "async"})


def test_a_start_makes_a_leader_without_replicas(clients, world):
    config = clients.config
    authority = pki.read_ca(config.paths.ssl)
    promises.promise_round(config.paths.promise_file, 77)
    said = []
    start.start(clients, REQUEST, said.append)

    found = membership.read(config.paths.membership_file)
    assert (found.state, found.name) == (MembershipState.MEMBER, "n2")
    assert found.options["check_ttl_multiplier"] == 2.0
    assert world.view.record == SyncRecord(1, "n2", 0, frozenset(), "async")
    assert world.view.members["n2"].options["sync_mode"] == "async"
    assert session.read(config) == "session"
    assert pki.read_ca(config.paths.ssl) == authority
    assert pki.issued_for(config.paths.ssl) == "n2"
    assert said[-1] == "The cluster is made: n2 leads it."
    # The indices of a new Consul begin anew: a promise of another life would never be outdated.
    assert promises.read(config.paths.promise_file).round == 0


def test_a_founder_is_one_only_once(clients):
    start.start(clients, REQUEST, print)
    agent = json.loads(consul_agent.agent_file(clients.config).read_text())
    assert "bootstrap_expect" not in agent


def test_a_second_start_is_refused(clients):
    start.start(clients, REQUEST, print)
    with pytest.raises(Conflict, match="already belongs"):
        start.check(clients.config, REQUEST)


def test_the_same_start_that_came_twice_is_done_once(clients, world):
    start.start(clients, REQUEST, print)
    world.calls.clear()
    start.start(clients, REQUEST, print)
    assert world.calls == []


@pytest.mark.parametrize(
    ("request_", "error", "complaint"),
    [
        (StartRequest("a.example.com", "n2"), Refused, "hostname"),
        (StartRequest("192.0.2.1", "n2"), Refused, "configured for 127.0.0.1"),
        (StartRequest("127.0.0.1", ""), Refused, "node name"),
        (StartRequest("127.0.0.1", "n2", {"colour": "blue"}), BadOption, "colour"),
    ],
)
def test_a_wrong_request_is_refused(clients, world, request_, error, complaint):
    with pytest.raises(error, match=complaint):
        start.start(clients, request_, print)
    assert world.calls == []
    assert not clients.config.paths.membership_file.exists()


def test_an_address_that_the_machine_does_not_have_is_refused(clients):
    config = clients.config.model_copy(update={"host_ip": "192.0.2.1"})
    with pytest.raises(Refused, match="does not have the address"):
        start.check(config, StartRequest("192.0.2.1", "n2"))


def test_a_removed_manager_is_told_what_to_do(clients):
    membership.write(clients.config.paths.membership_file, Membership(MembershipState.REMOVED, "n2"))
    with pytest.raises(Conflict, match="install it anew"):
        start.start(clients, REQUEST, print)


@pytest.mark.parametrize(
    "step",
    ["services.start consul", "consul.acquire_lease", "consul.write_record", "consul.put_member"],
)
def test_a_start_that_fails_is_undone(clients, world, step):
    ssl = clients.config.paths.ssl
    node, authority = pki.read_node(ssl), pki.read_ca(ssl)
    world.fails = {step}
    with pytest.raises(FormationFailed, match="does not work"):
        start.start(clients, REQUEST, print)
    assert membership.read(clients.config.paths.membership_file).state is MembershipState.ALONE
    assert (pki.read_node(ssl), pki.read_ca(ssl)) == (node, authority)
    assert "consul" not in clients.services.running()
    assert session.read(clients.config) is None
    world.fails = set()
    start.start(clients, REQUEST, print)
    assert membership.read(clients.config.paths.membership_file).state is MembershipState.MEMBER


def test_generated_names_are_valid_and_differ():
    names = {start.new_node_name() for _ in range(50)}
    assert len(names) == 50
    assert all(NODE_NAME.fullmatch(name) and name.startswith("cloudify_manager_") for name in names)
