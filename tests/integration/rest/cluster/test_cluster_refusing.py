"""A member that does not lead refuses everything, in the words that clients understand."""

from __future__ import annotations

import pytest

from orchestrator.record import lease_file
from orchestrator.record.lease_file import LeaseState
from tests.support.memory_cluster import refused

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "path", ["/status", "/cluster", "/cluster/nodes", "/users", "/nothing", "/maintenance"]
)
def test_a_replica_refuses_everything(node, rest, path):
    lease_file.write(node.config.paths.lease_file, LeaseState(member=True, leader="n2", term=8))
    message = refused(rest.get(path), 400, "not_cluster_master")
    assert message.endswith("It is not the active manager in the cluster.")
    refused(rest.as_user(None).post("/tenants/x"), 400, "not_cluster_master")
    assert rest.get("/api/version").status_code == 200


def test_a_removed_member_refuses_everything(node, rest):
    lease_file.write(node.config.paths.lease_file, LeaseState(member=True, removed=True))
    message = refused(rest.get("/status"), 400, "removed_from_cluster")
    assert message == "This node was removed from the Cloudify Manager cluster"
