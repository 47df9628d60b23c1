from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.formation import remove, teardown
from orchestrator.model.errors import Conflict, NotFound
from orchestrator.model.snapshot import Member, MembershipState
from orchestrator.record import membership
from orchestrator.record.membership import Membership


@pytest.fixture
def with_replica(world, leading):
    members = {**world.view.members, "n2": Member("n2", "127.0.0.2")}
    world.view = replace(world.view, members=members)
    return leading


def test_a_removed_node_is_no_member_any_more(with_replica, world):
    assert remove.remove(with_replica, "n2").host_ip == "127.0.0.2"
    assert world.calls == ["consul.remove_member"]


def test_a_dead_node_is_taken_out_at_once(with_replica, world):
    assert remove.take_out_of_consul(with_replica, "n2", "127.0.0.2", insist=False)
    assert world.calls == ["consul.force_leave", "consul.remove_raft_peer"]


def test_a_living_node_goes_by_itself(with_replica, world):
    world.alive = {"n2"}
    assert not remove.take_out_of_consul(with_replica, "n2", "127.0.0.2", insist=False)
    assert world.calls == []
    assert remove.take_out_of_consul(with_replica, "n2", "127.0.0.2", insist=True)


def test_an_unknown_node_is_not_found(with_replica, world):
    with pytest.raises(NotFound, match=r"'n7'.*n1, n2"):
        remove.remove(with_replica, "n7")
    assert world.calls == []


def test_the_leader_stays_while_there_are_others(with_replica, world):
    with pytest.raises(Conflict, match="set-active"):
        remove.remove(with_replica, "n1")
    assert world.calls == []


def test_the_last_node_can_be_removed(leading, world):
    remove.remove(leading, "n1")
    assert world.calls == ["consul.remove_member"]


def test_a_removed_node_stops_for_good_and_keeps_its_data(clients, world):
    config = clients.config
    membership.write(config.paths.membership_file, Membership(MembershipState.MEMBER, "n2"))
    clients.services.start("consul")
    for _ in range(2):
        remove.stop_being_member(clients)
    assert membership.read(config.paths.membership_file).state is MembershipState.REMOVED
    assert clients.services.running() == {"restservice"}
    assert config.paths.postgres_data.exists()
    assert world.calls.count("consul.leave") == 1
    assert "consul.forget_member" not in world.calls


def test_a_member_is_not_torn_down_without_insisting(clients):
    membership.write(clients.config.paths.membership_file, Membership(MembershipState.MEMBER, "n2"))
    with pytest.raises(Conflict, match="Remove it there first"):
        teardown.check(clients.config)


def test_a_teardown_leaves_nothing_and_can_be_repeated(clients):
    stopped = []
    config = clients.config
    deleted = teardown.teardown(config, lambda: stopped.append(True))
    assert set(deleted) == {config.paths.etc, config.paths.state, config.paths.run, config.paths.log}
    assert not any(folder.exists() for folder in deleted)
    assert teardown.teardown(config, lambda: None) == ()
    assert stopped == [True]


def test_a_folder_that_the_machine_shares_is_not_deleted(clients, tmp_path):
    paths = clients.config.paths.model_copy(update={"log": tmp_path / ".." / "/etc"})
    with pytest.raises(Conflict, match="/etc"):
        teardown.teardown(clients.config.model_copy(update={"paths": paths}), pytest.fail)
