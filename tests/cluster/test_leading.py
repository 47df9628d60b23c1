"""Who leads, when somebody asks for a change, and when there is nobody to ask."""

from __future__ import annotations

import subprocess
import time
import uuid

import pytest

from orchestrator.clients.clock import now_s
from orchestrator.clients.programs import postgres_bin_dir
from orchestrator.model.snapshot import Role
from orchestrator.record import lease_file
from tests.cluster import nemesis
from tests.cluster.crowd import Crowd, code_of
from tests.cluster.house import WHOLE_S
from tests.cluster.traffic import SOON_S
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NOT_LEADER = "400 not_cluster_master"


def answers_as_no_leader(cluster, node):
    return code_of(cluster.client(), node) == NOT_LEADER


def test_a_switchover_under_load_loses_nothing(cluster, house, traffic):
    old = cluster.leader()
    target = house.others(old)[0]
    assert house.ask(old, "cluster", "set-active", target.name).exit_code == 0

    assert traffic.moves_away_from(old) is target
    assert cluster.wait_until_whole(WHOLE_S) is target
    assert house.ask(target, "cluster", "set-active", old.name).exit_code == 0
    assert traffic.moves_away_from(target) is old
    traffic.was_kept()


def test_a_switchover_that_makes_no_sense_is_refused(cluster, house, traffic):
    leader = cluster.leader()
    term = cluster.view(leader).lease.term
    offline = house.bystander(leader)
    offline.kill()
    eventually(
        lambda: any(each["name"] == offline.name and not each["online"] for each in cluster.members()),
        SOON_S,
        f"{offline.name} is offline",
    )

    def asked_for(name):
        return house.ask(leader, "cluster", "set-active", name).refusal

    assert asked_for(offline.name) == (1, "illegal_action_error")
    assert asked_for(leader.name) == (1, "illegal_action_error")
    assert asked_for("nobody") == (1, "not_found_error")
    traffic.flows()
    assert (cluster.leader(), cluster.view(leader).lease.term) == (leader, term)

    offline.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.was_kept()


def test_during_an_election_every_request_is_answered(cluster, house, traffic):
    """By the new leader, also if it was asked before it was one, or with what makes clients go on."""
    old = cluster.leader()
    replicas = house.others(old)
    with Crowd(cluster, replicas) as crowd:
        old.kill(include_consul=False)
        new = traffic.moves_away_from(old)
        eventually(lambda: crowd.answers_of(new)["200"] > 0, SOON_S, "the new leader answers")
    for replica in replicas:
        assert set(crowd.answers_of(replica)) <= {"200", NOT_LEADER}
    assert crowd.was_held_for(new)

    old.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.was_kept()


def test_without_a_majority_nobody_acknowledges_anything(cluster, house, traffic):
    leader = cluster.leader()
    replicas = house.others(leader)
    for replica in replicas:
        replica.kill()
    dead_s = time.monotonic()
    eventually(lambda: answers_as_no_leader(cluster, leader), SOON_S, f"{leader.name} has given up")
    eventually(lambda: leader.clients.postgres.read().role is Role.STOPPED, SOON_S, "its database is stopped")
    assert traffic.acknowledged_since(dead_s) == 0

    for replica in replicas:
        replica.start()
    cluster.wait_until_whole(WHOLE_S)
    traffic.flows()
    traffic.was_kept()


def test_a_leader_whose_replicas_are_gone_goes_on_alone_until_they_return(cluster, house, traffic):
    leader = cluster.leader()
    replicas = house.others(leader)
    for replica in replicas:
        replica.kill(include_consul=False)
    eventually(lambda: cluster.view(leader).record.k == 0, SOON_S, f"{leader.name} waits for nobody")
    traffic.flows()
    assert cluster.leader() is leader

    for replica in replicas:
        replica.start()
    assert cluster.wait_until_whole(WHOLE_S) is leader
    traffic.flows()
    traffic.was_kept()


def test_a_leader_that_was_alone_and_is_lost_is_done_without_by_an_operators_word_only(cluster, house):
    old = cluster.leader()
    replicas = house.others(old)
    chosen = replicas[0]
    for replica in replicas:
        replica.kill(include_consul=False)
    eventually(lambda: cluster.view(old).record.k == 0, SOON_S, f"{old.name} waits for nobody")
    only_here = cluster.wait(lambda: a_new_tenant(cluster), SOON_S, f"{old.name} takes writes")
    old.kill()
    for replica in replicas:
        replica.start()
    # With that machine Consul may have lost its own leader, and needs a moment to answer at all.
    names = {replica.name for replica in replicas}
    cluster.wait(lambda: names <= reported_in_this_round(cluster.view(chosen)), SOON_S, "no replica reports")

    assert house.cfy_manager(chosen, "cluster", "force-leader").exit_code == 1
    assert cluster.view(chosen).lease.free
    forced = house.cfy_manager(chosen, "cluster", "force-leader", "--lose-writes")
    assert forced.exit_code == 0, forced.text
    assert cluster.leader() is chosen
    assert "forced" in {entry["kind"] for entry in cluster.history()}

    old.start()
    assert cluster.wait_until_whole(WHOLE_S) is chosen
    # What is lost for the cluster is not lost for people.
    (archive,) = house.cfy_manager(old, "archive", "list").told
    dump = old.config.paths.archives / archive["name"] / "database.dump"
    command = [
        postgres_bin_dir(old.config) / "pg_restore",
        "--data-only",
        "--table=tenants",
        "--file=-",
        dump,
    ]
    assert only_here in subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "archived" in {entry["kind"] for entry in cluster.history()}
    refused = house.cfy_manager(replicas[1], "cluster", "force-leader", "--lose-writes")
    assert refused.exit_code == 1
    assert f"{chosen.name} leads: there is nothing to force" in refused.text


def a_new_tenant(cluster):
    """The name of a tenant that the leader has just made."""
    name = f"tenant_{uuid.uuid4().hex}"
    cluster.client().request("POST", f"/tenants/{name}")
    return name


def reported_in_this_round(view):
    """The nodes that have let go of the old leader: a report of an earlier election stays until the next."""
    return {name for name, report in view.reports.items() if report.round == view.lease.modified}


def test_a_changed_option_takes_effect_without_a_restart(cluster, house, traffic):
    """With a longer time to live a leader may be slow for longer than the default allows."""
    leader = cluster.leader()
    term = cluster.view(leader).lease.term
    assert house.ask(leader, "cluster", "nodes", "update", leader.name, "-o", "patience=9").refusal == (
        1,
        "bad_parameters_error",
    )
    patient = house.ask(leader, "cluster", "nodes", "update", leader.name, "-o", "check_ttl_multiplier=5")
    assert patient.exit_code == 0
    ttl_s = leader.config.timing.heartbeat_ttl_s
    eventually(lambda: lease_lasts_s(leader) > 2 * ttl_s, SOON_S, "the lease lasts longer")

    slow = nemesis.family(leader, "handler-runner")
    nemesis.stop(*slow)
    try:
        traffic.goes_on_for(1.5 * ttl_s)
    finally:
        nemesis.go_on(*slow)
    cluster.wait_until_whole(WHOLE_S)
    assert (cluster.leader(), cluster.view(leader).lease.term) == (leader, term)
    traffic.was_kept()
    assert (
        house.ask(leader, "cluster", "nodes", "update", leader.name, "-o", "check_ttl_multiplier=1").exit_code
        == 0
    )


def lease_lasts_s(node):
    state = lease_file.read(node.config.paths.lease_file)
    return state.valid_until_s - now_s() if state else 0.0
