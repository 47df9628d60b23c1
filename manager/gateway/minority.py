"""The cluster as a node shows it that has lost the majority: the others are offline, for all it knows."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.config import NodeConfig
from orchestrator.model.minority import ACTIVE
from orchestrator.model.snapshot import ClusterView, Lease, NodeStatus, Role
from orchestrator.record import known, lease_file

CHECKS_THAT_PASS = frozenset({"consul", "heartbeat", "database", "services"})
"""Of a node that answers. ``consul`` among them: the contract's clients call a node without it offline."""


def view_alone(config: NodeConfig, me: str, way: str) -> tuple[ClusterView, Mapping[str, frozenset[str]]]:
    """What is known of the cluster, and of the checks."""
    state = lease_file.read(config.paths.lease_file) or lease_file.LeaseState()
    holder = me if way == ACTIVE else None
    role = Role.PRIMARY if way == ACTIVE else Role.STANDBY
    view = ClusterView(
        lease=Lease(holder, "minority" if holder else None, state.term, 0),
        members=known.members(config),
        statuses={me: NodeStatus(me, situation="minority", role=role)},
    )
    return view, {me: CHECKS_THAT_PASS}
