"""The certificates of all members are renewed under clients that write; and after all of them have ended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.formation import pki
from tests.cluster import nemesis
from tests.cluster.house import WHOLE_S
from tests.cluster.traffic import SOON_S
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]


def renew(house, node):
    done(house, node, "renew")


def done(house, node, *words):
    told = house.cfy_manager(node, "certificates", *words)
    assert told.exit_code == 0, told.text


def refused(house, node, *words):
    told = house.cfy_manager(node, "certificates", *words)
    assert told.exit_code == 1, told.text
    return told.error["message"]


def servers(cluster):
    """What was started anew is another process."""
    # The REST service of a member that has just joined is about to be started once more.
    names = ("consul", "postgresql")
    found = [nemesis.find(node, name) for node in cluster.bed for name in names]
    return [each and (each.pid, each.started) for each in found]


def tell_longest_gap(traffic):
    gap = traffic.journals[0].interruption()
    print(f"The longest time without an acknowledgement: {gap.duration_s:.3f} s")  # noqa: T201


def all_connect_anew(cluster, traffic):
    """A failover, after which every connection is made with the new certificates."""
    leader = cluster.leader()
    leader.kill()
    traffic.moves_away_from(leader)
    leader.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.was_kept()


def test_one_node_after_the_other_and_nobody_notices(cluster, house, traffic):
    leader, before = cluster.leader(), servers(cluster)
    term = cluster.view(leader).lease.term
    for node in cluster.bed:
        renew(house, node)
        traffic.flows()
    assert cluster.wait_until_whole(WHOLE_S) is leader
    assert cluster.view(leader).lease.term == term
    assert servers(cluster) == before
    tell_longest_gap(traffic)
    all_connect_anew(cluster, traffic)


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


def test_the_ca_is_replaced_by_one_with_another_key_and_nobody_notices(cluster, house, traffic, tmp_path):
    leader, before = cluster.leader(), servers(cluster)
    one, two, three = cluster.bed
    new = str(tmp_path / "new-ca.pem")
    done(house, one, "new-ca", new)

    done(house, one, "trust-ca", new)
    message = refused(house, one, "sign-with-ca", new)
    assert "n2 (consul) does not trust the new CA yet" in message
    assert "n3 (postgresql) does not trust the new CA yet" in message
    assert "Nothing was changed here" in message
    done(house, two, "trust-ca", new)
    done(house, three, "trust-ca", new)
    cluster.ca_file.write_text(cluster.ca_file.read_text() + (one.config.paths.ssl / "ca.pem").read_text())

    done(house, one, "sign-with-ca", new)
    assert "n2 (postgresql) shows no certificate of this node's CA" in refused(house, one, "drop-old-ca")
    traffic.flows()
    done(house, two, "sign-with-ca", new)
    done(house, three, "sign-with-ca", new)
    for node in cluster.bed:
        done(house, node, "drop-old-ca")
        traffic.flows()
    assert cluster.wait_until_whole(WHOLE_S) is leader
    assert servers(cluster) == before
    tell_longest_gap(traffic)

    authorities = [(node.config.paths.ssl / "ca.pem").read_text() for node in cluster.bed]
    assert len(set(authorities)) == 1
    assert authorities[0] in Path(new).read_text()
    all_connect_anew(cluster, traffic)
