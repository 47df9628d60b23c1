"""The certificates of all members are renewed under clients that write; and after all of them have ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.formation import pki
from tests.cluster import nemesis
from tests.cluster.house import WHOLE_S
from tests.cluster.traffic import SOON_S
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]


def renew(house, node):
    told = house.cfy_manager(node, "certificates", "renew")
    assert told.exit_code == 0, told.text


def servers(cluster):
    """What was started anew is another process."""
    # The REST service of a member that has just joined is about to be started once more.
    names = ("consul", "postgresql")
    found = [nemesis.find(node, name) for node in cluster.bed for name in names]
    return [each and (each.pid, each.started) for each in found]


def test_one_node_after_the_other_and_nobody_notices(cluster, house, traffic):
    leader, before = cluster.leader(), servers(cluster)
    term = cluster.view(leader).lease.term
    for node in cluster.bed:
        renew(house, node)
        traffic.flows()
    assert cluster.wait_until_whole(WHOLE_S) is leader
    assert cluster.view(leader).lease.term == term
    assert servers(cluster) == before
    gap = traffic.journals[0].interruption()
    print(f"The longest time without an acknowledgement: {gap.duration_s:.3f} s")  # noqa: T201

    # From now on everything connects anew, with the new certificates.
    leader.kill()
    traffic.moves_away_from(leader)
    leader.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.was_kept()


def test_all_machines_start_when_all_certificates_have_ended_and_renewing_makes_the_cluster_well(
    cluster, house, traffic
):
    traffic.flows()
    for node in cluster.bed:
        node.kill()
        pki.issue(node.config, node.name, life=timedelta(seconds=-1))
    for node in cluster.bed:
        node.start()
    for node in cluster.bed:
        eventually(lambda node=node: "ENDED" in house.cfy_manager(node, "status").text, SOON_S)
    for node in cluster.bed:
        renew(house, node)
    cluster.wait_until_whole(WHOLE_S)
    traffic.flows()
    traffic.was_kept()
