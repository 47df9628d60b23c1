"""Whatever happens to the leader: another one leads soon, and nothing that was acknowledged is lost."""

from __future__ import annotations

import pytest

from demo.node import Node
from orchestrator.model.snapshot import Role
from tests.cluster import nemesis
from tests.cluster.checker import query
from tests.cluster.house import WHOLE_S
from tests.cluster.traffic import SOON_S
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def is_replica_of(leader: Node, node: Node) -> bool:
    database = node.clients.postgres.read()
    return database.role is Role.STANDBY and database.upstream == leader.name and database.receiving


@pytest.mark.parametrize("include_consul", [False, True], ids=["its processes", "its whole host"])
def test_the_leader_dies_and_comes_back_as_a_replica(cluster, traffic, include_consul):
    old = cluster.leader()
    old.kill(include_consul=include_consul)
    new = traffic.moves_away_from(old)

    old.start()
    assert cluster.wait_until_whole(WHOLE_S) is new
    assert is_replica_of(new, old)
    traffic.flows()
    traffic.was_kept()


def test_a_leader_that_hangs_is_replaced_and_acknowledges_nothing_when_it_wakes(cluster, traffic):
    old = cluster.leader()
    old.freeze()
    new = traffic.moves_away_from(old)
    traffic.goes_on_for(2.0)

    old.thaw()
    assert cluster.wait_until_whole(WHOLE_S) is new
    assert is_replica_of(new, old)
    traffic.flows()
    traffic.was_kept()


def test_what_only_the_old_leader_had_is_undone_by_a_rewind(cluster, traffic):
    old = cluster.leader()
    nemesis.stop(*nemesis.walsenders(old))
    # The transaction is committed here only, and nobody outside has been told.
    query(old, "BEGIN; SET LOCAL synchronous_commit = local; CREATE TABLE only_here (); COMMIT")
    old.kill()
    traffic.moves_away_from(old)

    old.start()
    # Consul has lost a server and got it back: on a busy machine it may elect once more.
    cluster.wait_until_whole(WHOLE_S)
    assert query(old, "SELECT to_regclass('only_here')") == [(None,)]
    told = [entry["summary"] for entry in cluster.history() if entry["node"] == old.name]
    assert any("rewound" in summary for summary in told), told
    traffic.was_kept()


def test_a_replica_without_its_data_is_rebuilt(cluster, house, traffic):
    replica = house.others(cluster.leader())[0]
    replica.kill()
    nemesis.destroy_database(replica)

    replica.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.flows()
    traffic.was_kept()


def test_two_leaders_in_a_row_are_lost(cluster, house, traffic):
    first = cluster.leader()
    first.kill(include_consul=False)
    second = traffic.moves_away_from(first)
    first.start()
    cluster.wait_until_whole(WHOLE_S)
    second.kill(include_consul=False)
    traffic.moves_away_from(second)

    second.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.was_kept()


def test_while_paused_nobody_takes_over(cluster, house, traffic):
    old = cluster.leader()
    replica = house.others(old)[0]
    assert house.ask(old, "cluster", "pause").exit_code == 0
    traffic.flows()

    old.kill(include_consul=False)
    eventually(lambda: cluster.view(replica).lease.free, SOON_S, "the lease is free")
    nemesis.let_loop_turn(replica, times=4)
    assert cluster.view(replica).lease.free

    assert house.cfy_manager(replica, "cluster", "resume").exit_code == 0
    traffic.moves_away_from(old)
    old.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.was_kept()
