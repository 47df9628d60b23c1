"""Making and unmaking a cluster: requests are checked here, and carried out by the workers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from manager import errors
from manager.gateway.connection import Json
from manager.gateway.nodes import Nodes, node_of
from manager.gateway.state import State
from orchestrator.clients import clock
from orchestrator.model.snapshot import Member


class Formation(Nodes, State):
    """Start, join, invite, remove."""

    _asked: tuple[float, str, Json] | None = None
    _asking = threading.Lock()

    def start(self, name: str, host_ip: str, options: Mapping[str, Any]) -> Json:
        """Have the workers make this manager the first of a cluster."""
        return self._form("start", {"host_ip": host_ip, "node_name": name, "options": dict(options)})

    def join(self, name: str, host_ip: str, options: Mapping[str, Any], **invitation: Any) -> Json:
        """Have the workers join the cluster that handed out ``credentials`` and ``required``."""
        for key, value in invitation.items():
            if not value:
                raise errors.BadParameters(f"Missing argument: {key}")
        return self._form(
            "join", {"host_ip": host_ip, "node_name": name, "options": dict(options), **invitation}
        )

    def _form(self, errand: str, request: Json) -> Json:
        """Begin once: the same request again, from a client whose connection broke, changes nothing."""
        with self._asking:
            if self.is_member():
                raise errors.Conflict("This manager already belongs to a cluster.")
            if self._under_way():
                if self._asked is not None and self._asked[1:] == (errand, request):
                    return self.cluster_state()
                raise errors.Conflict("A start or a join is under way on this manager already.")
            self.errand(errand, request)
            self._asked = (clock.now_s(), errand, request)
        return self.cluster_state()

    def _under_way(self) -> bool:
        if self._asked is None:
            return False
        running = clock.now_s() - self._asked[0] < self.config.timing.join_timeout_s
        return running and self.cluster_state()["error"] is None

    def invite(self, name: str, host_ip: str) -> Json:
        """Prepare for a new member: a ClusterNode with what the joining manager is to be given."""
        view, _ = self.look()
        invitation = self.errand("invite", {"name": name, "host_ip": host_ip})
        return node_of(Member(name=name, host_ip=host_ip), view, {}) | invitation

    def remove(self, name: str) -> Json:
        """Have the workers take a member out of the cluster; the node as it was."""
        node = self.node(name)
        if node["master"] or self.name == name:
            raise errors.IllegalAction(
                f"{name!r} is the leader, and cannot be removed. Let another node lead first; "
                "the last node of a cluster is taken down on its own machine (cfy_manager remove)."
            )
        self.errand("remove", {"name": name})
        return node
