"""Observe whether the workflows that an earlier leader was running have been taken up."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.record import workflows


def resumed_term(clients: Clients) -> int:
    """The newest term in which this node took them up."""
    return workflows.resumed_term(clients.config)
