"""``cfy cluster set-active`` waits until the other member leads, whatever it hears meanwhile."""

from __future__ import annotations

from tests.unit.cli.cluster_answers import IN_CLUSTER, node
from tests.unit.cli.scripted import DROP, NOT_LEADER, error, items


def test_it_waits_until_the_node_leads(cfy, pair):
    old, new = pair
    before = items(node("n1", old, master=True), node("n2", new))
    after = items(node("n1", old), node("n2", new, master=True))
    old.table |= {
        "GET /cluster/nodes": [before, before, NOT_LEADER],
        "PATCH /cluster": IN_CLUSTER,
    }
    new.table = {"GET /cluster/nodes": [NOT_LEADER, after]}
    told = cfy.json("cluster", "set-active", "n2")
    assert told["master"] == "n2"
    assert 0 < told["took_s"] < 5
    assert old.seen[2].body == {"master": "n2"}
    assert cfy.store.get().leader == new.address


def test_the_leader_changes_before_it_can_answer(cfy, pair):
    old, new = pair
    old.table |= {
        "GET /cluster": [IN_CLUSTER, NOT_LEADER],
        "GET /cluster/nodes": [items(node("n1", old, master=True), node("n2", new)), NOT_LEADER],
        "PATCH /cluster": DROP,
    }
    new.table = {
        "PATCH /cluster": error(400, "illegal_action_error", "n2 is the leader already"),
        "GET /cluster/nodes": items(node("n1", old), node("n2", new, master=True)),
    }
    assert cfy("cluster", "set-active", "n2").exit_code == 0


def test_nobody_can_answer_while_the_leader_changes(cfy, pair):
    old, new = pair
    after = items(node("n1", old), node("n2", new, master=True))
    old.table |= {
        "GET /cluster/nodes": [items(node("n1", old, master=True), node("n2", new)), NOT_LEADER],
        "PATCH /cluster": DROP,
    }
    new.table = {"PATCH /cluster": NOT_LEADER, "GET /cluster/nodes": [NOT_LEADER, after]}
    assert cfy("cluster", "set-active", "n2").exit_code == 0


def test_a_refusal(cfy, pair):
    pair[0].table["PATCH /cluster"] = error(400, "illegal_action_error", "n2 is offline")
    result = cfy("cluster", "set-active", "n2")
    assert result.exit_code == 1
    assert "n2 is offline" in result.stderr
    assert "n1 (leader), n2 (offline)" in result.stderr


def test_a_switchover_that_does_not_happen(cfy, pair):
    pair[0].table["PATCH /cluster"] = IN_CLUSTER
    result = cfy("cluster", "set-active", "n2", "--timeout", "0.05")
    assert result.exit_code == 5
    assert "n2 does not lead" in result.stderr
