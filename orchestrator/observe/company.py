"""Observe which other members a node can reach that has lost sight of the majority."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.model.minority import Company
from orchestrator.record import known

TIMEOUT_S = 4.0
"""All are asked at once. A busy machine takes long, and messages may be lost on the way."""

SURE_AFTER_S = 2.0


def reachable(clients: Clients) -> Company:
    """The other members that answer, and how they stand."""
    members = known.members(clients.config)
    others = {name: member for name, member in members.items() if name != clients.me}
    return Company(len(members), clients.peers.standings(others, TIMEOUT_S))
