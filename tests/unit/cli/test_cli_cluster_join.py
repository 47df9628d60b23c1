"""``cfy cluster join``: it relays between the leader and the manager that joins."""

from __future__ import annotations

import pytest

from tests.unit.cli.cluster_answers import ALONE, POLL, log, node, state
from tests.unit.cli.scripted import NOT_LEADER, UNAUTHORIZED, error, items


@pytest.fixture
def joining(fresh, leading):
    invitation = node("n2", fresh, credentials={"key": "opaque"}, required={"version": "1"})
    alone, joined = items(node("n1", leading, master=True)), node("n2", fresh)
    offline = items(node("n1", leading, master=True), {**joined, "online": False})
    leading.table |= {
        "GET /cluster/nodes": [alone, offline, items(node("n1", leading, master=True), joined)],
        "PUT /cluster/nodes/n2": (200, invitation),
    }
    fresh.table |= {
        "GET /cluster": [ALONE, state(log(7, "Copying")), NOT_LEADER],
        "PUT /cluster": state(),
    }
    return fresh


def join(cfy, leading):
    return cfy("cluster", "join", leading.address, "--cluster-node-name", "n2", "-o", "heal_policy=majority")


def test_the_contract_s_requests(cfy, joining, leading):
    result = join(cfy, leading)
    assert result.exit_code == 0, result.stderr
    assert "n2 is a replica" in result.stdout
    assert "Copying" in result.stderr
    assert joining.requests() == ["GET /cluster", "PUT /cluster", POLL, f"{POLL}&since=7"]
    nodes = "GET /cluster/nodes"
    assert leading.requests() == [nodes, "PUT /cluster/nodes/n2", nodes, nodes]
    assert leading.seen[1].body == {"host_ip": joining.address, "node_name": "n2"}
    assert joining.seen[1].body == {
        "host_ip": joining.address,
        "node_name": "n2",
        "credentials": {"key": "opaque"},
        "required": {"version": "1"},
        "join_addrs": [leading.address],
        "options": {"heal_policy": "majority"},
    }
    assert "opaque" not in result.output


def test_the_profile_knows_all_members_afterwards(cfy, joining, leading):
    join(cfy, leading)
    profile = cfy.store.get()
    assert [member.name for member in profile.members] == ["n1", "n2"]
    assert profile.leader == leading.address
    assert profile.address == joining.address


def test_by_a_profile_whose_user_the_joined_manager_gets(cfy, managers, joining, leading):
    cfy.profile(leading, port=managers.port, name="prod", username="root", password="theirs", members=())
    cfy.store.use("here")
    result = cfy("cluster", "join", "prod", "--cluster-node-name", "n2")
    assert result.exit_code == 0, result.stderr
    here, prod = cfy.store.get("here"), cfy.store.get("prod")
    assert (here.username, here.password, here.name) == ("root", "theirs", "here")
    assert here.members == prod.members
    assert len(prod.members) == 2


def test_a_profile_is_found_by_its_address(cfy, managers, joining, leading):
    cfy.profile(leading, port=managers.port, name="prod", username="root", members=())
    cfy.store.use("here")
    join(cfy, leading)
    assert cfy.store.get("here").username == "root"


def test_a_manager_that_has_the_cluster_s_users_already(cfy, joining, leading):
    joining.table["GET /cluster"] = [ALONE, state(), UNAUTHORIZED]
    assert join(cfy, leading).exit_code == 0


def test_a_failure_on_the_joining_manager(cfy, joining, leading):
    joining.table["GET /cluster"] = [ALONE, state(failure="This manager is not empty: 2 blueprints")]
    result = join(cfy, leading)
    assert result.exit_code == 1
    assert "not empty: 2 blueprints" in result.stderr
    assert not cfy.store.get("here").members


def test_a_taken_name(cfy, joining, leading):
    leading.table["PUT /cluster/nodes/n2"] = error(409, "conflict_error", "The name n2 is taken")
    result = join(cfy, leading)
    assert result.exit_code == 1
    assert "n2 is taken" in result.stderr
    assert joining.requests() == ["GET /cluster"]


def test_a_manager_that_is_in_a_cluster(cfy, joining, leading):
    joining.table["GET /cluster"] = NOT_LEADER
    result = join(cfy, leading)
    assert result.exit_code == 1
    assert "already belongs to a cluster" in result.stderr
    assert not leading.seen


def test_a_leader_without_a_cluster(cfy, joining, leading):
    leading.table["GET /cluster/nodes"] = error(404, "not_found_error", "no cluster")
    result = join(cfy, leading)
    assert result.exit_code == 1
    assert "is not in a cluster" in result.stderr


def test_an_unreachable_leader(cfy, joining):
    result = cfy("cluster", "join", "127.94.255.254")
    assert result.exit_code == 3
    assert "127.94.255.254" in result.stderr
    assert "Name a member of the cluster" in result.stderr
    assert joining.requests() == ["GET /cluster"]


def test_a_wrong_password_for_the_leader(cfy, joining, leading):
    leading.table = {"*": UNAUTHORIZED}
    result = join(cfy, leading)
    assert result.exit_code == 4
    assert "the present one's credentials were used" in result.stderr


def test_a_wrong_password_in_the_leader_s_profile(cfy, managers, joining, leading):
    leading.table = {"*": UNAUTHORIZED}
    cfy.profile(leading, port=managers.port, name="prod", members=())
    cfy.store.use("here")
    result = cfy("cluster", "join", "prod")
    assert result.exit_code == 4
    assert "cfy profiles set prod" in result.stderr


def test_itself(cfy, joining):
    result = cfy("cluster", "join", joining.address)
    assert result.exit_code == 1
    assert "cannot join itself" in result.stderr


def test_a_node_that_never_comes_online(cfy, joining, leading):
    leading.table["GET /cluster/nodes"] = items(node("n1", leading, master=True))
    result = cfy("cluster", "join", leading.address, "--cluster-node-name", "n2", "--timeout", "0.1")
    assert result.exit_code == 5
    assert "is not online" in result.stderr
