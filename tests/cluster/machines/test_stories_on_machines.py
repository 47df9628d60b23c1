"""The stories of a cluster, on machines: with a real power button, a real cable and a real reboot."""

from __future__ import annotations

import json

import pytest

from tests.cluster.bed.node import Node
from tests.support.waiting import eventually

SOON_S = 60.0
RENEWED_S = 150.0
"""Longer than the command itself waits, so that it can say what it waited for."""

LOST_AND_FOUND = {
    "its power": (Node.power, Node.start),
    "its processes": (Node.kill, Node.start),
    "its cable": (Node.cut, Node.heal),
    "its senses": (Node.freeze, Node.thaw),
}
"""What a machine can lose, and get back."""


@pytest.mark.parametrize(("lose", "find"), LOST_AND_FOUND.values(), ids=LOST_AND_FOUND)
def test_a_leader_that_loses_something_comes_back_as_a_replica(managers, traffic, lose, find):
    old = managers.leader()
    lose(old)
    new = traffic.moves_away_from(old)
    find(old)
    assert managers.whole() is new
    traffic.flows()
    traffic.was_kept()


def test_a_switchover_under_load_loses_nothing(managers, traffic):
    old = managers.leader()
    target = another(managers, old)
    managers.cfy(old, "cluster", "set-active", target.name)
    assert traffic.moves_away_from(old) is target
    assert managers.whole() is target
    traffic.was_kept()


def test_each_machine_comes_back_from_a_reboot_as_a_member(managers, traffic):
    for node in managers.bed:
        node.reboot()
        managers.whole()
        traffic.flows()
    traffic.was_kept()


def test_certificates_are_renewed_on_each_machine_and_nothing_is_started_anew(managers, traffic):
    leader, before = managers.leader(), {node.name: main_processes(node) for node in managers.bed}
    for node in managers.bed:
        shown = shown_by_rest(node)
        told = json.loads(
            node.run("cfy_manager", "--json", "certificates", "renew", timeout_s=RENEWED_S).stdout
        )
        assert (told["certificates"], told["troubles"]) == (["node", "postgres"], [])
        assert shown_by_rest(node) != shown
        traffic.flows()
    assert {node.name: main_processes(node) for node in managers.bed} == before
    assert managers.whole() is leader
    traffic.was_kept()


def shown_by_rest(node):
    """The certificate that who connects to the REST service is shown now."""
    ask = f"import ssl; print(ssl.get_server_certificate(({node.address!r}, 443)))"
    return node.run("/opt/cloudify/bin/python", "-c", ask).stdout


@pytest.fixture
def fourth(managers):
    """One machine more, with the program; thrown away at the end, and out of the cluster."""
    node = managers.bed.add("n4")
    node.install_python("/opt/cloudify")
    yield node
    for member in [each["name"] for each in managers.members() if each["host_ip"] == node.address]:
        managers.cfy(managers.leader(), "cluster", "nodes", "remove", member)
    managers.bed.remove(node.name)


def test_a_fourth_joins_is_removed_and_joins_again_under_another_name(managers, traffic, fourth):
    # The clients are there first, and know three members: while it joins, a manager still takes writes as one
    # that is alone, and its database is replaced (docs/safety.md, "What is not there yet").
    leader = managers.leader()
    managers.make_member(fourth)
    assert managers.whole(size=4) is leader

    managers.cfy(leader, "cluster", "nodes", "remove", fourth.name)
    assert managers.whole(size=3) is leader
    eventually(lambda: membership(fourth) == "removed", SOON_S, "the machine knows that it was removed")

    fourth.run("cfy_manager", "remove", "-f", timeout_s=SOON_S)
    managers.make_member(fourth, "n4-again")
    assert managers.whole(size=4) is leader
    traffic.flows()
    managers.cfy(leader, "cluster", "nodes", "remove", "n4-again")
    managers.whole(size=3)
    traffic.was_kept()


def test_to_provision_again_changes_nothing(managers):
    leader, before = managers.leader(), {node.name: main_processes(node) for node in managers.bed}
    for node in managers.bed:
        managers.make_member(node)
    assert {node.name: main_processes(node) for node in managers.bed} == before
    assert managers.whole() is leader


def main_processes(node):
    """Which processes are the manager's services: a service that was started anew is another one."""
    return node.run("systemctl", "show", "--property=Id,MainPID", "cloudify-*.service").stdout


def membership(node):
    told = node.run("cfy_manager", "--json", "status", check=False).stdout
    return "removed" if '"membership": "removed"' in told else told


def another(managers, node):
    return next(each for each in managers.bed if each is not node)
