"""Any single process of a node may be killed at any time: nothing is lost, and nobody has to lend a hand.

A process is started again by its service manager (a worker by its parent), and the loop, which remembers
nothing, goes on where it was. What a leader's clients depend on at every moment is watched closely, so a
leader that loses that is replaced at once; everything else is back before anybody would miss it.
"""

from __future__ import annotations

import pytest

from orchestrator.model.spec import LEADER_SERVICES
from tests.cluster import nemesis
from tests.cluster.house import WHOLE_S

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

REPLACED_AT_ONCE = frozenset(
    {
        "lease-guard",  # Its broken connections are how the others learn that all of a node was killed.
        "postgresql",  # The leader steps down, for a replica is faster than a recovery.
    }
)
MAY_BE_MISSED = frozenset({"check-runner", "handler-runner", "redis", "consul"})
"""Without these no turn of the loop is made, or none without the help of the members: a machine that is busy
enough brings them back too late."""

EVERYWHERE = (*nemesis.PROGRAMS, *nemesis.WORKERS)


@pytest.mark.parametrize("name", [*EVERYWHERE, *LEADER_SERVICES])
def test_of_the_leader(cluster, traffic, name):
    leader = cluster.leader()
    term = cluster.view(leader).lease.term
    killed = nemesis.kill(leader, name)
    nemesis.is_back(leader, name, killed)
    nemesis.let_loop_turn(leader, times=3)

    leads_now = cluster.wait_until_whole(WHOLE_S)
    traffic.flows()
    traffic.was_kept()
    if name not in REPLACED_AT_ONCE | MAY_BE_MISSED:
        assert (cluster.leader(), cluster.view(leads_now).lease.term) == (leader, term)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_of_a_replica(cluster, house, traffic, name):
    leader = cluster.leader()
    term = cluster.view(leader).lease.term
    replica = house.bystander(leader)
    killed = nemesis.kill(replica, name)
    nemesis.is_back(replica, name, killed)
    nemesis.let_loop_turn(replica, times=3)

    cluster.wait_until_whole(WHOLE_S)
    traffic.flows()
    traffic.was_kept()
    assert (cluster.leader(), cluster.view(leader).lease.term) == (leader, term)


def test_the_service_manager_of_the_leader(cluster, traffic):
    """Here nobody runs what runs the services: the node hands over, and is started again by hand.

    Its Consul starts anew then. If that was the one from which Consul was led, another handover follows.
    """
    leader = cluster.leader()
    nemesis.kill(leader, "supervisord")
    traffic.moves_away_from(leader)

    leader.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.flows()
    traffic.was_kept()


def test_the_service_manager_of_a_replica(cluster, house, traffic):
    leader = cluster.leader()
    replica = house.bystander(leader)
    nemesis.kill(replica, "supervisord")
    traffic.flows()

    replica.start()
    assert cluster.wait_until_whole(WHOLE_S) is leader
    traffic.was_kept()
