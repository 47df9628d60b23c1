"""``cfy cluster start``: the requests of the contract, and the progress."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.cli.cluster_answers import ALONE, IN_CLUSTER, POLL, log, node, state
from tests.unit.cli.scripted import DROP, NOT_LEADER, error, items


def test_the_contract_s_requests_and_the_progress(cfy, fresh):
    first, second = log(1, "Making certificates"), log(2, "Starting Consul")
    polls = [state(first), state(second), state(initialized=True)]
    fresh.table = {
        "GET /cluster": [ALONE, *polls],
        "PUT /cluster": state(),
        "GET /cluster/nodes": [NOT_LEADER, items(node("n1", fresh, master=True))],
    }
    result = cfy("cluster", "start", "--cluster-node-name", "n1", "--options", "minority_mode=offline")
    assert result.exit_code == 0, result.stderr
    assert "n1 leads it" in result.stdout
    assert result.stderr.index("Making certificates") < result.stderr.index("Starting Consul")
    assert fresh.requests()[:5] == [
        "GET /cluster",
        "PUT /cluster",
        POLL,
        f"{POLL}&since=1",
        f"{POLL}&since=2",
    ]
    body = {"host_ip": fresh.address, "node_name": "n1", "options": {"minority_mode": "offline"}}
    assert fresh.seen[1].body == body
    profile = cfy.store.get()
    assert [member.name for member in profile.members] == ["n1"]
    assert profile.leader == fresh.address


def test_the_name_is_generated(cfy, fresh):
    fresh.table |= {
        "GET /cluster": [ALONE, state(initialized=True)],
        "PUT /cluster": state(),
        "GET /cluster/nodes": items(node("x", fresh, master=True)),
    }
    name = cfy.json("cluster", "start")["node_name"]
    assert name.startswith("cloudify_manager_")
    assert len(name) == len("cloudify_manager_XXXXXX")


def test_a_second_start(cfy, fresh):
    fresh.table["GET /cluster"] = IN_CLUSTER
    result = cfy("cluster", "start")
    assert result.exit_code == 1
    assert "already belongs to a cluster" in result.stderr
    assert fresh.requests() == ["GET /cluster"]


def test_a_replica_is_in_a_cluster_too(cfy, fresh):
    fresh.table["GET /cluster"] = NOT_LEADER
    result = cfy("cluster", "start")
    assert result.exit_code == 1
    assert "already belongs to a cluster" in result.stderr


def test_a_failure_on_the_manager(cfy, fresh):
    fresh.table |= {
        "GET /cluster": [ALONE, state(log(1, "Trying")), state(failure="Port 8300 is taken")],
        "PUT /cluster": state(),
    }
    result = cfy("cluster", "start")
    assert result.exit_code == 1
    assert "Port 8300 is taken" in result.stderr


def test_a_pause_of_the_rest_service_is_borne(cfy, fresh):
    fresh.table |= {
        "GET /cluster": [ALONE, DROP, NOT_LEADER, error(503, "x", "starting"), state(initialized=True)],
        "PUT /cluster": state(),
        "GET /cluster/nodes": items(node("n1", fresh, master=True)),
    }
    assert cfy("cluster", "start").exit_code == 0


def test_a_start_that_takes_too_long(cfy, fresh):
    fresh.table |= {"PUT /cluster": state()}
    result = cfy("cluster", "start", "--timeout", "0.05")
    assert result.exit_code == 5
    assert "the cluster has not started" in result.stderr


def test_refused_options(cfy, fresh):
    fresh.table["PUT /cluster"] = error(400, "bad_parameters_error", "There is no node option 'colour'.")
    result = cfy("cluster", "start", "-o", "colour=red;check_fail_fast=false")
    assert result.exit_code == 1
    assert "no node option 'colour'" in result.stderr
    assert fresh.seen[1].body["options"] == {"colour": "red", "check_fail_fast": "false"}


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--cluster-host-ip", "manager.example"], "not an IP address"),
        (["--options", "check_fail_fast"], "NAME=VALUE"),
        (["--timeout", "0"], "not in the range"),
    ],
)
def test_a_command_line_that_is_wrong(cfy, fresh, args, complaint):
    result = cfy("cluster", "start", *args)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not fresh.seen


def test_a_profile_with_a_hostname_needs_the_host_ip(cfy, fresh):
    cfy.store.save(replace(cfy.store.get(), address="localhost"))
    result = cfy("cluster", "start")
    assert result.exit_code == 1
    assert "--cluster-host-ip" in result.stderr
