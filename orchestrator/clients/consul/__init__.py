"""Consul as the cluster uses it: one class, made of one file per subject.

Start with ``keys`` (what lies where) and ``lease`` (the operations that safety rests on).
"""

from __future__ import annotations

from orchestrator.clients.consul.checks import CheckOperations
from orchestrator.clients.consul.files import FileOperations
from orchestrator.clients.consul.history import HistoryOperations
from orchestrator.clients.consul.lease import LeaseOperations
from orchestrator.clients.consul.servers import ServerOperations
from orchestrator.clients.consul.store import StoreOperations

__all__ = ["Consul"]


class Consul(
    FileOperations,
    LeaseOperations,
    StoreOperations,
    CheckOperations,
    HistoryOperations,
    ServerOperations,
):
    """All that the cluster asks of Consul, through this node's own agent.

    Every method raises ``ConsulUnavailable`` when the agent does not answer in time, or answers that it
    has no leader. A write that ended so may still be carried out a moment later.
    """
