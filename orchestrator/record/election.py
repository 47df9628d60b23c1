"""The election that this node won last: the history tells what a failover came from, and how long it took."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig


@dataclass(frozen=True, slots=True)
class Election:
    """``freed_at``: when the lease became free, in Unix time. ``cause``: why, as far as it is known."""

    term: int
    freed_at: float
    cause: str


def _path(config: NodeConfig) -> Path:
    return config.paths.run / "election.json"


def remember(config: NodeConfig, election: Election) -> None:
    """Keep it until writes are let in. In memory: nothing but the history depends on it."""
    write_atomically(_path(config), json.dumps(asdict(election)), durable=False)


def of_term(config: NodeConfig, term: int) -> Election | None:
    """The election of ``term``, if this node won it and still knows."""
    try:
        election = Election(**json.loads(_path(config).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return election if election.term == term else None
