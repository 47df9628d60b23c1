"""The cluster as a whole, in the words of the contract."""

from __future__ import annotations

from manager.gateway.connection import Connection, Json
from orchestrator.formation.progress import Progress
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.minority import ACTIVE
from orchestrator.record import lease_file


class State(Connection):
    """Reading ClusterState."""

    def cluster_state(self, *, include_logs: bool = False, since: str | None = None) -> Json:
        """The contract's ClusterState, with ``error`` always and ``logs`` when wanted."""
        lines, error = Progress(self.paths).read(since)
        logs = [
            {"message": line.message, "timestamp": line.timestamp, "cursor": line.cursor} for line in lines
        ]
        told: Json = {"error": error} | ({"logs": logs} if include_logs else {})
        if not self.is_member():
            return {"initialized": False, **told}
        return {"initialized": True, **told, **self._seen_in_consul()}

    def _seen_in_consul(self) -> Json:
        """While Consul elects a leader of its own, what this machine knows has to do."""
        try:
            view, consul_leader = self.consul().view(), self.consul().consul_leader()
        except ConsulUnavailable:
            state = lease_file.read(self.paths.lease_file) or lease_file.LeaseState()
            told: Json = {"consul": {"leader": ""}, "term": state.term, "paused": None}
            alone = {"leader": self.name, "minority": state.minority}
            return told | (alone if state.minority == ACTIVE else {"leader": state.leader})
        return {
            "consul": {"leader": consul_leader},
            "leader": view.lease.holder,
            "term": view.lease.term,
            "paused": view.paused,
        }
