"""Act on services."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.model.action import Done, Outcome, StartServices, StopServices
from orchestrator.model.spec import LEADER_SERVICES


def start_services(clients: Clients, action: StartServices) -> Outcome:
    """Start what should run here."""
    for name in _in_order(action.names):
        clients.services.start(name)
    return Done(", ".join(sorted(action.names)))


def stop_services(clients: Clients, action: StopServices) -> Outcome:
    """Stop what only the leader runs."""
    for name in reversed(_in_order(action.names)):
        clients.services.stop(name)
    return Done(", ".join(sorted(action.names)))


def _in_order(names: frozenset[str]) -> list[str]:
    """The broker before whoever works for it."""
    return sorted(names, key=LEADER_SERVICES.index)
