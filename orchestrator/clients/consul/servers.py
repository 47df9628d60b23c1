"""The Consul servers themselves: who is one, and taking one out."""

from __future__ import annotations

from orchestrator.clients.consul.connection import Connection
from orchestrator.clients.consul.http import ConsulComplained, Library, endpoint
from orchestrator.clients.consul.library import CB
from orchestrator.model.errors import ConsulUnavailable

# A server that leaves waits for the others to take note: about 3.5 s alone, up to 10 s among others.
LEAVE_TIMEOUT_S = 15.0
RELOAD_TIMEOUT_S = 5.0


class ServerOperations(Connection):
    """Consul's own membership."""

    def consul_leader(self) -> str:
        """``ip:port`` of Consul's own leader as the local agent sees it; empty when there is none."""
        return str(self._api.status.leader())

    def ready(self) -> bool:
        """Whether a majority of the servers confirms a read now; never raises."""
        try:
            self._api.kv.get("cluster/leader", consistency="consistent")
        except ConsulUnavailable:
            return False
        return True

    def voters(self) -> frozenset[str]:
        """``ip:port`` of all servers that vote."""
        servers = self._api.operator.raft.configuration()["Servers"]
        return frozenset(server["Address"] for server in servers if server["Voter"])

    def alive_agents(self) -> frozenset[str]:
        """Names of all nodes whose agent the local one can see."""
        alive = 1
        return frozenset(member["Name"] for member in self._api.agent.members() if member["Status"] == alive)

    def reload(self) -> None:
        """Have the local agent read its configuration again, and its certificates, which may have ended.

        It needs no leader. Checks keep their state, and sessions with them; connections go on.
        """
        Library(self.config, RELOAD_TIMEOUT_S, any_date=True).http.put(CB.bool(), "/v1/agent/reload")

    def leave(self) -> None:
        """Take the local server out, in good order; its process ends. Takes up to some 10 s."""
        patient = Library(self.config, LEAVE_TIMEOUT_S)
        patient.http.put(CB.bool(), "/v1/agent/leave")

    def force_leave(self, name: str) -> None:
        """Take the server of a dead node out; unknown already: all the same. A living one comes back."""
        try:
            self._api.agent.force_leave(name)
        except ConsulComplained as error:
            if "No node found" not in error.text:
                raise

    def remove_raft_peer(self, host_ip: str) -> None:
        """Take a server's vote; it has none already: all the same."""
        try:
            self._api.operator.raft.delete(address=endpoint(host_ip, self.config.ports.consul_server))
        except ConsulComplained as error:
            if "was not found" not in error.text:
                raise
