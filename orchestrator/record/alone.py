"""Since when this node acknowledges what nobody else need have: the mark of a leader without replicas.

On disk before the first such acknowledgement, and gone when replicas have everything. A node that has to
take over another one's history while the mark is there has something to lose, and archives it first.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig


@dataclass(frozen=True, slots=True)
class Alone:
    """In which term that began, and when, in Unix time."""

    term: int
    since: float


def _path(config: NodeConfig) -> Path:
    return config.paths.state / "alone"


def begin(config: NodeConfig, term: int) -> None:
    """From now on it may acknowledge alone. What is marked already stays as it is."""
    if read(config) is None:
        write_atomically(_path(config), json.dumps(asdict(Alone(term, time.time()))))


def end(config: NodeConfig) -> None:
    """Others have all that this node has."""
    _path(config).unlink(missing_ok=True)


def read(config: NodeConfig) -> Alone | None:
    """The mark; a mark that cannot be read is one all the same, of an unknown term."""
    try:
        return Alone(**json.loads(_path(config).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return Alone(0, 0.0)
