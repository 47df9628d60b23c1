"""Who leads, who belongs to it, and with which options: changed by an administrator."""

from __future__ import annotations

from dataclasses import replace

import pytest

from manager import errors
from orchestrator.model.snapshot import Switchover
from orchestrator.model.spec import Options
from tests.support.memory_cluster import ALL_CHECKS, refused

pytestmark = pytest.mark.integration


def test_set_active(rest, consul):
    assert rest.patch("/cluster", {"master": "n2"}).json()["initialized"] is True
    assert consul.now.switchover == Switchover(term=7, target="n2")
    # Again, from a client whose connection broke.
    assert rest.patch("/cluster", {"master": "n2"}).status_code == 200
    consul.passing = {**consul.passing, "n3": ALL_CHECKS}
    refused(rest.patch("/cluster", {"master": "n3"}), 409, "conflict_error")
    # The wish of an older term hinders nobody.
    consul.now = replace(consul.now, lease=replace(consul.now.lease, term=8))
    assert rest.patch("/cluster", {"master": "n3"}).status_code == 200
    assert consul.now.switchover == Switchover(term=8, target="n3")


def test_set_active_where_it_makes_no_sense(rest, consul):
    refused(rest.patch("/cluster", {"master": "n9"}), 404, "not_found_error")
    assert "leader" in refused(rest.patch("/cluster", {"master": "n1"}), 400, "illegal_action_error")
    assert "offline" in refused(rest.patch("/cluster", {"master": "n3"}), 400, "illegal_action_error")
    consul.now = replace(consul.now, paused=True)
    assert "paused" in refused(rest.patch("/cluster", {"master": "n2"}), 400, "illegal_action_error")
    assert consul.now.switchover is None


def test_pause_and_resume(rest, consul):
    for pause, resume in (
        (lambda: rest.put("/cluster/pause"), lambda: rest.delete("/cluster/pause")),
        (
            lambda: rest.patch("/cluster", {"paused": True}),
            lambda: rest.patch("/cluster", {"paused": "False"}),
        ),
    ):
        assert pause().json()["paused"] is True
        assert consul.now.paused
        assert resume().json()["paused"] is False
        assert not consul.now.paused


def test_options(rest, consul):
    changed = rest.patch("/cluster/nodes/n2", {"check_ttl_multiplier": "2", "check_fail_fast": "False"})
    assert changed.status_code == 200
    expected = {**Options().as_dict(), "check_ttl_multiplier": 2.0, "check_fail_fast": False}
    assert changed.json()["options"] == expected == consul.now.members["n2"].options
    assert rest.patch("/cluster/nodes/n2", {"check_fail_fast": True}).json()["options"]["check_fail_fast"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"colour": "red"}, "check_ttl_multiplier"),
        ({"check_ttl_multiplier": "many"}, "a number from"),
        ({"minority_mode": "party"}, "read_only"),
        ({"sync_mode": 1}, "quorum"),
    ],
)
def test_options_that_there_are_not(rest, options, told):
    assert told in refused(rest.patch("/cluster/nodes/n2", options), 400, "bad_parameters_error")
    refused(rest.patch("/cluster/nodes/n9", {"sync_mode": "async"}), 404, "not_found_error")


def test_remove(rest, errands):
    answer = rest.delete("/cluster/nodes/n3")
    assert (answer.status_code, answer.json()["name"]) == (200, "n3")
    assert errands.run == [("remove", {"name": "n3"})]


def test_remove_the_leader_or_nobody(rest, errands):
    refused(rest.delete("/cluster/nodes/n1"), 400, "illegal_action_error")
    refused(rest.delete("/cluster/nodes/n9"), 404, "not_found_error")
    assert errands.run == []


def test_an_invitation(rest, errands):
    body = {"host_ip": "127.93.1.4", "node_name": "n4"}
    node = rest.put("/cluster/nodes/n4", body).json()
    assert (node["name"], node["host_ip"], node["online"], node["master"]) == (
        "n4",
        "127.93.1.4",
        False,
        False,
    )
    assert (node["credentials"], node["required"]) == ({"secret": 1}, {"version": "1"})
    assert errands.run == [("invite", {"name": "n4", "host_ip": "127.93.1.4"})]
    refused(rest.put("/cluster/nodes/n5", body), 400, "bad_parameters_error")
    errands.refusal = errors.Conflict("taken")
    assert (
        refused(rest.put("/cluster/nodes/n2", {**body, "node_name": "n2"}), 409, "conflict_error") == "taken"
    )
