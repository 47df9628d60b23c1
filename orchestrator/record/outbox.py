"""Lines for the cluster's history that are still to be told to Consul.

Telling takes a few milliseconds that nobody should wait for in the middle of a failover, and cannot be done
while Consul is electing. So an action leaves its lines here, and the next tick delivers them when its own
work is done. Several processes write, one delivers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from orchestrator.model.history import HistoryEntry


def put(path: Path, entry: HistoryEntry) -> None:
    """Leave an entry. One line is written in one call, so writers do not mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, json.dumps(asdict(entry)).encode() + b"\n")
    finally:
        os.close(descriptor)


def deliver(path: Path, tell: Callable[[HistoryEntry], object]) -> None:
    """Tell all that was left, oldest first. What could not be told, because ``tell`` raised, stays."""
    taken = path.with_suffix(".sending")
    if not taken.exists():
        try:
            path.rename(taken)
        except FileNotFoundError:
            return
    lines = taken.read_text().splitlines()
    for number, line in enumerate(lines):
        tell(HistoryEntry(**json.loads(line)))
        taken.write_text("".join(f"{rest}\n" for rest in lines[number + 1 :]))
    taken.unlink()
