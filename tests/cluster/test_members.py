"""A cluster grows and shrinks while it works; a join or a removal that is refused changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from demo.cluster import Cluster
from demo.node import Node
from demo.rest import Rejected
from tests.cluster.crowd import code_of
from tests.cluster.house import WHOLE_S, House
from tests.cluster.traffic import SOON_S
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NOBODY = "127.77.255.250"
REMOVED = "400 removed_from_cluster"


@pytest.fixture
def newcomer(house: House) -> Node:
    """A manager in no cluster."""
    return house.new_manager()


@dataclass(frozen=True, slots=True)
class BadJoin:
    """A join that cannot be: what is asked for, the exit code, the error code, and what is said about it."""

    arguments: tuple[str, ...]
    exit_code: int
    error_code: str | None
    says: str
    leader: str = ""
    variables: dict[str, str] = field(default_factory=dict)


BAD_JOINS = {
    "the name is taken": BadJoin(("--cluster-node-name", "n2"), 1, "conflict_error", "n2"),
    "the name differs in case only": BadJoin(("--cluster-node-name", "N2"), 1, "conflict_error", "n2"),
    "nobody is at the leader's address": BadJoin((), 3, None, NOBODY, leader=NOBODY),
    "it shall join itself": BadJoin((), 1, None, "cannot join itself", leader="itself"),
    "a hostname as host ip": BadJoin(("--cluster-host-ip", "localhost"), 2, None, "hostname"),
    "an address of another machine": BadJoin(
        ("--cluster-host-ip", "192.0.2.1"), 1, "bad_parameters_error", "192.0.2.1"
    ),
    "an unknown option": BadJoin(("-o", "patience=9"), 1, "bad_parameters_error", "check_ttl_multiplier"),
    "a wrong password": BadJoin(
        (), 4, "unauthorized_error", "", variables={"CFY_PASSWORD": "wrong-as-can-be"}
    ),
}


@pytest.mark.parametrize("bad", BAD_JOINS.values(), ids=BAD_JOINS)
def test_a_join_that_is_refused_changes_nothing(house, newcomer, unchanged, bad):
    leader = house.cluster.leader()
    address = {"": leader.name, "itself": newcomer.host_ip}.get(bad.leader, bad.leader)
    answer = house.ask(newcomer, "cluster", "join", address, *bad.arguments, **bad.variables)
    assert answer.refusal == (bad.exit_code, bad.error_code), answer.text
    assert bad.says in answer.text


def test_a_manager_that_is_not_empty_cannot_join(house, newcomer, unchanged):
    leader, client = house.cluster.leader(), house.cluster.client()
    client.ask(newcomer.host_ip, "POST", "/tenants/precious")
    answer = house.ask(newcomer, "cluster", "join", leader.name)
    assert answer.refusal == (1, "conflict_error"), answer.text
    assert "tenant" in answer.text
    client.ask(newcomer.host_ip, "DELETE", "/tenants/precious")


def test_a_manager_of_another_version_cannot_join(house, newcomer, unchanged):
    leader, client = house.cluster.leader(), house.cluster.client()
    member = {"host_ip": newcomer.host_ip, "node_name": newcomer.name}
    invited = client.ask(leader.host_ip, "PUT", f"/cluster/nodes/{newcomer.name}", json=member)
    here, there = invited["required"]["version"], "0.0.7"
    request = {
        **member,
        "credentials": invited["credentials"],
        "required": {**invited["required"], "version": there},
        "join_addrs": [leader.host_ip],
    }
    with pytest.raises(Rejected, match=f"{here}.*{there}") as refused:
        client.ask(newcomer.host_ip, "PUT", "/cluster", json=request)
    assert (refused.value.status, refused.value.code) == (400, "bad_parameters_error")


def test_the_leader_itself_refuses_a_hostname(house, newcomer, unchanged):
    member = {"host_ip": "localhost", "node_name": newcomer.name}
    with pytest.raises(Rejected, match="hostname") as refused:
        house.cluster.client().request("PUT", f"/cluster/nodes/{newcomer.name}", json=member)
    assert (refused.value.status, refused.value.code) == (400, "bad_parameters_error")


def test_a_member_can_neither_start_nor_join(house):
    leader = house.cluster.leader()
    replica = house.others(leader)[0]
    for node, other in ((leader, replica), (replica, leader)):
        assert house.ask(node, "cluster", "start").exit_code == 1
        assert house.ask(node, "cluster", "join", other.name).exit_code == 1
    with pytest.raises(Rejected, match="already") as refused:
        house.cluster.client().ask(
            leader.host_ip, "PUT", "/cluster", json={"host_ip": leader.host_ip, "node_name": "again"}
        )
    assert (refused.value.status, refused.value.code) == (409, "conflict_error")


def test_five_members_survive_the_loss_of_two_at_once(house, five, traffic):
    old = house.cluster.leader()
    other = house.others(old)[0]
    old.kill()
    other.kill()
    new = traffic.moves_away_from(old)
    assert new is not other

    old.start()
    other.start()
    assert house.cluster.wait_until_whole(WHOLE_S, *house.members()) is new
    traffic.was_kept()


def test_a_removed_replica_is_out_for_good(house, five, traffic):
    leader = house.cluster.leader()
    gone = house.others(leader)[-1]
    assert house.ask(leader, "cluster", "nodes", "remove", gone.name).exit_code == 0

    client = house.cluster.client()
    eventually(lambda: code_of(client, gone) == REMOVED, SOON_S, f"{gone.name} knows that it was removed")
    eventually(lambda: is_forgotten(house.cluster, gone), SOON_S, f"nobody remembers {gone.name}")
    traffic.flows()
    rejoin = house.ask(gone, "cluster", "join", leader.name)
    assert (rejoin.exit_code, "removed" in rejoin.text) == (3, True), rejoin.text
    assert code_of(client, gone) == REMOVED

    house.cluster.wait_until_whole(WHOLE_S, *house.members())
    traffic.was_kept()


def test_a_dead_node_can_be_removed_and_is_out_when_it_wakes(house, four, traffic):
    leader = house.cluster.leader()
    dead = house.others(leader)[-1]
    dead.kill()
    assert house.ask(leader, "cluster", "nodes", "remove", dead.name).exit_code == 0
    eventually(lambda: is_forgotten(house.cluster, dead), SOON_S, f"nobody remembers {dead.name}")
    traffic.flows()

    dead.start()
    client = house.cluster.client()
    eventually(lambda: code_of(client, dead) == REMOVED, SOON_S, f"{dead.name} knows that it was removed")
    # Its Consul was heard by the others until the node knew, and takes a moment to leave.
    eventually(lambda: is_forgotten(house.cluster, dead), SOON_S, f"nobody remembers {dead.name} any more")
    house.cluster.wait_until_whole(WHOLE_S, *house.members())
    traffic.was_kept()


def test_a_removal_that_makes_no_sense_is_refused(house, traffic):
    leader = house.cluster.leader()
    before = house.cluster.members()
    for name, error_code in ((leader.name, "illegal_action_error"), ("nobody", "not_found_error")):
        assert house.ask(leader, "cluster", "nodes", "remove", name).refusal == (1, error_code)
    traffic.flows()
    assert [each["name"] for each in house.cluster.members()] == [each["name"] for each in before]
    assert house.cluster.leader() is leader
    traffic.was_kept()


@pytest.fixture
def five(house: House) -> None:
    """Five members, two of which may have joined for this story."""
    house.grow_to(5)


@pytest.fixture
def four(house: House) -> None:
    """At least one member more than the three."""
    house.grow_to(4)


@pytest.fixture
def unchanged(house: House, newcomer: Node):
    """Whatever the story does: the cluster has the members that it had, and the manager has none of it."""
    cluster = house.cluster

    def look() -> tuple[object, ...]:
        leader = cluster.leader()
        agents = leader.clients.consul.alive_agents()
        return leader, [each["name"] for each in cluster.members()], agents, cluster.view(leader).lease.term

    before = look()
    yield
    assert look() == before
    state = cluster.client().ask(newcomer.host_ip, "GET", "/cluster")
    assert state["initialized"] is False
    assert "consul" not in newcomer.clients.services.running()


def is_forgotten(cluster: Cluster, node: Node) -> bool:
    """The cluster has no trace of a node: not in its list, in Consul, or in replication."""
    leader = cluster.leader()
    consul, database = leader.clients.consul, leader.clients.postgres.read()
    traces: tuple[Callable[[], bool], ...] = (
        lambda: node.name in [each["name"] for each in cluster.members()],
        lambda: node.name in consul.alive_agents(),
        lambda: any(voter.startswith(f"{node.host_ip}:") for voter in consul.voters()),
        lambda: node.name in database.slots | set(database.streams),
    )
    return not any(trace() for trace in traces)
