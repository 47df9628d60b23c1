"""In which term this node has taken up the workflows, in memory: after a reboot it looks again."""

from __future__ import annotations

import json

from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig


def resumed_term(config: NodeConfig) -> int:
    """The newest such term; 0 when it is not known."""
    try:
        return int(json.loads((config.paths.run / "workflows.json").read_bytes())["resumed_term"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def note_resumed(config: NodeConfig, term: int) -> None:
    """Remember that the workflows were taken up in ``term``."""
    write_atomically(config.paths.run / "workflows.json", json.dumps({"resumed_term": term}), durable=False)
