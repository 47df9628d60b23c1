"""Consul's servers hang, die, or are started anew, while the managers are well and see each other."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.cluster import nemesis
from tests.cluster.house import WHOLE_S
from tests.cluster.traffic import SOON_S
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

LASTS_S = 10.0
"""A lease that nobody renews is over long before."""

PATIENCE = 3
"""Machines that run other tests as well are slow: they are given more time, and Consul is gone for longer."""


@contextmanager
def given_time(cluster, house, leader):
    """The lease of the leader lasts for longer than usual."""
    _set_multiplier(house, leader, PATIENCE)
    cluster.wait_until_whole(WHOLE_S)
    try:
        yield
    finally:
        _set_multiplier(house, leader, 1)


@pytest.fixture
def patient(cluster, house):
    """The leader, whose lease lasts for longer than usual."""
    leader = cluster.leader()
    with given_time(cluster, house, leader):
        yield leader


def _set_multiplier(house, node, value):
    answer = house.ask(node, "cluster", "nodes", "update", node.name, "-o", f"check_ttl_multiplier={value}")
    assert answer.exit_code == 0, answer.text


def database_of(node):
    """Which process it is, so that one that was stopped and started again is another one."""
    found = nemesis.find(node, "postgresql")
    return found and (found.pid, found.started)


@contextmanager
def hanging(*processes):
    nemesis.stop(*processes)
    try:
        yield
    finally:
        nemesis.go_on(*processes)


def test_its_servers_hang_and_the_leader_goes_on_by_the_word_of_its_members(cluster, patient, traffic):
    database = database_of(patient)
    servers = [nemesis.find(node, "consul") for node in cluster.bed]
    traffic.flows()
    with hanging(*servers):
        traffic.goes_on_for(PATIENCE * LASTS_S)
    assert cluster.wait_until_whole(WHOLE_S) is patient
    traffic.was_kept()
    assert database_of(patient) == database


def test_its_servers_are_killed_at_once_and_nobody_takes_over(cluster, patient, traffic):
    database = database_of(patient)
    traffic.flows()
    killed = {node: nemesis.kill(node, "consul") for node in cluster.bed}
    for node, server in killed.items():
        nemesis.is_back(node, "consul", server)
    assert cluster.wait_until_whole(WHOLE_S) is patient
    traffic.flows()
    traffic.was_kept()
    assert database_of(patient) == database


def test_the_machine_from_which_it_is_led_dies_and_the_leader_goes_on(cluster, house, traffic):
    leader = cluster.leader()
    led_from = leader.clients.consul.consul_leader().rpartition(":")[0]
    victim = next(node for node in cluster.bed if node.host_ip == led_from)
    if victim is leader:
        leader = house.others(victim)[0]
        assert house.ask(victim, "cluster", "set-active", leader.name).exit_code == 0
        assert traffic.moves_away_from(victim) is leader
        cluster.wait_until_whole(WHOLE_S)
    with given_time(cluster, house, leader):
        database = database_of(leader)
        victim.kill()
        traffic.flows()

        victim.start()
        assert cluster.wait_until_whole(WHOLE_S) is leader
        traffic.was_kept()
        assert database_of(leader) == database


def test_without_consul_and_without_its_members_a_leader_gives_up(cluster, house, traffic):
    leader = cluster.leader()
    others = house.others(leader)
    daemons = [nemesis.find(node, "sshd") for node in others]
    servers = [nemesis.find(node, "consul") for node in cluster.bed]
    with hanging(*servers, *daemons):
        eventually(lambda: database_of(leader) is None, SOON_S, "the leader has given up")
    cluster.wait_until_whole(WHOLE_S)
    traffic.flows()
    traffic.was_kept()
