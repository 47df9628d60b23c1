"""What this node has promised to the others, synced to disk before anyone is told."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from orchestrator.clients.files import write_atomically
from orchestrator.model.errors import StaleRound
from orchestrator.model.snapshot import Promise


def read(path: Path) -> Promise:
    """The promise on file; a node that has never promised anything is bound by nothing.

    A file that cannot be understood raises ``ValueError``: a promise is never forgotten silently.
    """
    try:
        return Promise(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Promise()


def promise_round(path: Path, round_: int) -> None:
    """Promise to act on no observation of the lease that is older than ``round_``.

    Raises ``StaleRound`` when a newer promise stands.
    """
    promised = read(path)
    if round_ < promised.round:
        raise StaleRound(
            f"round {round_} is older than round {promised.round}, in which this node has promised"
        )
    if round_ > promised.round:
        _write(path, Promise(round_, promised.stepped_down))


def remember_stepping_down(path: Path, term: int) -> None:
    """Remember that this node gave up ``term`` because it was not well."""
    _write(path, Promise(read(path).round, term))


def _write(path: Path, promise: Promise) -> None:
    write_atomically(path, json.dumps(asdict(promise)))
