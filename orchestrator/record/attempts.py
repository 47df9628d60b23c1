"""How often this node has tried in vain to follow a leader; kept in memory, forgotten by a reboot."""

from __future__ import annotations

from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig


def count(config: NodeConfig, term: int) -> int:
    """Count one more try to follow the leader of ``term``; returns how many there were, this one included."""
    path = config.paths.run / "follow-attempts"
    try:
        known_term, tries = map(int, path.read_text().split())
    except (FileNotFoundError, ValueError):
        known_term, tries = term, 0
    tries = tries + 1 if known_term == term else 1
    write_atomically(path, f"{term} {tries}", durable=False)
    return tries


def forget(config: NodeConfig) -> None:
    """The try was successful."""
    (config.paths.run / "follow-attempts").unlink(missing_ok=True)
