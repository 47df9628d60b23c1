"""Act on services."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.model.action import Done, Outcome, StartServices, StopServices


def start_services(clients: Clients, action: StartServices) -> Outcome:
    """Start what should run here."""
    for name in sorted(action.names):
        clients.services.start(name)
    return Done(", ".join(sorted(action.names)))


def stop_services(clients: Clients, action: StopServices) -> Outcome:
    """Stop what only the leader runs."""
    for name in sorted(action.names):
        clients.services.stop(name)
    return Done(", ".join(sorted(action.names)))
