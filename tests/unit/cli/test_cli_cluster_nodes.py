"""``cfy cluster nodes``: the members."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.cli.cluster_answers import node
from tests.unit.cli.scripted import error, items


def test_list(cfy, pair):
    leader, _ = pair
    result = cfy("cluster", "nodes", "list")
    head, first, second = result.stdout.splitlines()
    checks = ["database", "services", "consul", "heartbeat"]
    assert head.split() == ["name", "host_ip", "state", *checks, "files"]
    assert first.split() == ["n1", leader.address, "leader", "ok", "ok", "ok", "ok", "unknown"]
    assert second.split()[2:] == ["offline", *["FAILED"] * 4, "unknown"]
    assert leader.requests() == ["GET /cluster", "GET /cluster/nodes"]


@pytest.mark.parametrize(
    ("files", "shown"),
    [(None, "unknown"), ({"generation": 7, "behind": 0}, "ok"), ({"generation": 4, "behind": 3}, "3 behind")],
)
def test_get_shows_how_far_the_files_are(cfy, pair, files, shown):
    leader, _ = pair
    leader.table["GET /cluster/nodes/n1"] = (200, node("n1", leader, files=files))
    result = cfy("cluster", "nodes", "get", "n1")
    assert [line.split(maxsplit=1)[1] for line in result.stdout.splitlines() if "files" in line] == [shown]


def test_list_as_json_without_secrets(cfy, pair):
    nodes = cfy.json("cluster", "nodes", "list")
    assert [it["state"] for it in nodes] == ["leader", "offline"]
    assert "credentials" not in nodes[1]


def test_list_without_a_cluster(cfy, fresh):
    result = cfy("cluster", "nodes", "list")
    assert result.exit_code == 1
    assert "not in a cluster" in result.stderr


def test_list_refreshes_the_profile(cfy, pair):
    cfy.store.update("here", lambda profile: replace(profile, members=()))
    cfy("cluster", "nodes", "list")
    assert len(cfy.store.get().members) == 2


def test_get(cfy, pair):
    leader, _ = pair
    leader.table["GET /cluster/nodes/n1"] = (
        200,
        node("n1", leader, master=True, options={"sync_mode": "async"}),
    )
    result = cfy("cluster", "nodes", "get", "n1")
    assert "leader" in result.stdout
    assert "async" in result.stdout


def test_update(cfy, pair):
    leader, _ = pair
    leader.table["PATCH /cluster/nodes/n2"] = (200, node("n2", leader))
    assert cfy("cluster", "nodes", "update", "n2", "-o", "sync_mode=async").exit_code == 0
    assert leader.seen[-1].body == {"sync_mode": "async"}
    assert cfy("cluster", "nodes", "update", "n2").exit_code == 2


def test_remove(cfy, pair):
    leader, replica = pair
    both, one = leader.table["GET /cluster/nodes"], items(node("n1", leader, master=True))
    leader.table["DELETE /cluster/nodes/n2"] = (200, node("n2", replica))
    leader.table["GET /cluster/nodes"] = [both, both, one]
    assert cfy("cluster", "nodes", "remove", "n2").exit_code == 0
    nodes = "GET /cluster/nodes"
    assert leader.requests() == ["GET /cluster", nodes, "DELETE /cluster/nodes/n2", nodes, nodes]
    assert [member.name for member in cfy.store.get().members] == ["n1"]


def test_a_removal_waits_while_the_dead_machine_s_consul_is_replaced(cfy, pair):
    leader, replica = pair
    both, one = leader.table["GET /cluster/nodes"], items(node("n1", leader, master=True))
    electing = error(503, "service_unavailable", "Consul answered 500: No cluster leader")
    leader.table["DELETE /cluster/nodes/n2"] = [electing, (200, node("n2", replica))]
    leader.table["GET /cluster/nodes"] = [electing, both, one]
    assert cfy("cluster", "nodes", "remove", "n2").exit_code == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error(404, "not_found_error", "no such node"), "n1, n2"),
        (error(409, "conflict_error", "n1 leads; switch over first"), "switch over first"),
    ],
)
def test_a_refused_removal(cfy, pair, answer, said):
    pair[0].table["DELETE /cluster/nodes/n9"] = answer
    result = cfy("cluster", "nodes", "remove", "n9")
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(cfy.store.get().members) == 2
