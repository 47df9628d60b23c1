"""Which Consul session is this node's own. In memory: after a reboot no session of before is ours."""

from __future__ import annotations

from pathlib import Path

from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig


def _path(config: NodeConfig) -> Path:
    return config.paths.run / "session"


def read(config: NodeConfig) -> str | None:
    """The session with which this node last tried to take the lease."""
    try:
        return _path(config).read_text().strip() or None
    except FileNotFoundError:
        return None


def write(config: NodeConfig, session: str) -> None:
    """Remember the session, before the lease is taken with it."""
    write_atomically(_path(config), session, durable=False)
