"""Two of three machines are gone: the one that is left acts alone, and keeps what it wrote."""

from __future__ import annotations

import uuid

import pytest

from tests.cluster.house import WHOLE_S
from tests.cluster.traffic import SOON_S
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

WARNING = "has lost the majority of its cluster"


def tenants_of(cluster):
    return {tenant["name"] for tenant in cluster.client().request("GET", "/tenants").content["items"]}


def a_new_tenant(cluster):
    """The name of a tenant that whoever serves has just made."""
    name = f"tenant_{uuid.uuid4().hex}"
    cluster.client().request("POST", f"/tenants/{name}")
    return name


def test_who_is_left_alone_takes_writes_and_leads_with_them_when_the_others_are_back(cluster, house):
    old = cluster.leader()
    left, other = house.others(old)
    before = a_new_tenant(cluster)
    for node in (other, old):
        node.kill()

    def serves_alone():
        return house.ask(left, "cluster", "nodes", "list").exit_code == 0

    eventually(serves_alone, WHOLE_S, f"{left.name} serves alone")
    nodes = house.ask(left, "cluster", "nodes", "list")
    assert {node["name"]: node["state"] for node in nodes.told} == {
        left.name: "leader",
        other.name: "offline",
        old.name: "offline",
    }
    assert WARNING in nodes.text
    alone = a_new_tenant(cluster)
    assert before in tenants_of(cluster)
    refused = house.ask(left, "executions", "start", "install", "-d", "any")
    assert refused.refusal == (1, "illegal_action_error")

    for node in (other, old):
        node.start()
    assert cluster.wait_until_whole(WHOLE_S) is left
    assert {before, alone} <= tenants_of(cluster)
    eventually(
        lambda: {"minority", "minority_ended"} <= {entry["kind"] for entry in cluster.history()},
        SOON_S,
        "the history tells of it",
    )
    after = house.ask(left, "cluster", "nodes", "list")
    assert WARNING not in after.text


def test_the_majority_is_lost_for_good_and_a_survivor_becomes_a_cluster_that_others_join(cluster, house):
    old = cluster.leader()
    left, other = house.others(old)
    before = a_new_tenant(cluster)
    other.kill()
    refused = house.cfy_manager(left, "recover-quorum", "--lose-members")
    assert (refused.exit_code, "nothing to recover" in refused.text) == (1, True)
    old.kill(include_consul=True)

    assert "If enough of their machines" in house.cfy_manager(left, "recover-quorum").text
    done = house.cfy_manager(left, "recover-quorum", "--lose-members")
    assert done.exit_code == 0, done.text
    assert cluster.leader() is left
    assert before in tenants_of(cluster)
    assert [node["name"] for node in cluster.members()] == [left.name]

    joined = house.new_manager()
    house.cfy.join_cluster(joined, left)
    assert cluster.wait_until_whole(WHOLE_S, left.name, joined.name) is left
    assert before in tenants_of(cluster)
    # Two of the old members would be a majority of the old cluster, if anybody started them.
    house.destroy()
