"""The leader dies in the middle of workflows: the new one goes on where they stood, or fails them at once."""

from __future__ import annotations

import pytest

from demo.workshop import Workshop
from tests.cluster.house import WHOLE_S

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ENDED = ("terminated", "failed", "cancelled")


@pytest.fixture
def workshop(cluster, tmp_path, request) -> Workshop:
    # The cluster serves several stories, and each has names of its own.
    return Workshop(tmp_path / "workshop", cluster.client(read_timeout_s=60.0))


def execution(cluster, identifier: str) -> dict:
    return cluster.client().request("GET", f"/executions/{identifier}").content


def has_ended(cluster, identifier: str) -> bool:
    return execution(cluster, identifier)["status"] in ENDED


def test_a_resumable_workflow_goes_on_and_what_was_done_is_not_done_again(cluster, workshop):
    workshop.deploy("go-on", 3)
    identifier = workshop.start("go-on")
    assert workshop.wait_for_entries(3, WHOLE_S, word="waits"), "the operations never waited"
    old = cluster.leader()
    old.kill()
    cluster.wait(lambda: cluster.leader() is not old, WHOLE_S, "somebody else leads")
    workshop.open_gate()
    cluster.wait(lambda: has_ended(cluster, identifier), WHOLE_S, "the execution ends")
    found = execution(cluster, identifier)
    assert (found["status"], found["error"]) == ("terminated", None)
    assert set(workshop.times_done().values()) == {1}
    assert len(workshop.times_done()) == 9  # three instances, three operations
    states = {item["state"] for item in cluster.client().items("/node-instances", deployment_id="go-on")}
    assert states == {"started"}
    old.start()
    cluster.wait_until_whole(WHOLE_S)


def test_a_switchover_interrupts_no_resumable_workflow(cluster, workshop):
    workshop.deploy("handed-over", 2)
    identifier = workshop.start("handed-over")
    assert workshop.wait_for_entries(2, WHOLE_S, word="waits"), "the operations never waited"
    old = cluster.leader()
    target = next(node for node in cluster.bed if node is not old)
    cluster.client().request("PATCH", "/cluster", json={"master": target.name})
    cluster.wait(lambda: cluster.leader() is target, WHOLE_S, "the target leads")
    workshop.open_gate()
    cluster.wait(lambda: has_ended(cluster, identifier), WHOLE_S, "the execution ends")
    assert execution(cluster, identifier)["status"] == "terminated"
    assert set(workshop.times_done().values()) == {1}
    cluster.wait_until_whole(WHOLE_S)
