"""Observe what this node has done about its files."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.model.files import FilesState
from orchestrator.record import files


def state(clients: Clients, at_s: float) -> FilesState:
    """What this node has mirrored, and how long ago it last looked closer."""
    return files.state(clients.config, at_s)
