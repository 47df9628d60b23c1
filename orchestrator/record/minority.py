"""The mark of acting without the majority, on disk (``docs/safety.md``, "Minority mode")."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.clients.consul.codec import decode, encode
from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.lsn import Lsn, Position
from orchestrator.model.minority import Minority
from orchestrator.model.snapshot import Snapshot

UNREADABLE = Minority(0, 0.0, Position(0, Lsn(0)))
"""A mark that cannot be read is one all the same: of what, its node cannot tell any more."""


def _path(config: NodeConfig) -> Path:
    return config.paths.state / "minority"


def begin(config: NodeConfig, mark: Minority) -> None:
    """From now on this node may acknowledge alone. A mark that is there already stays as it is."""
    if read(config) is None:
        write_atomically(_path(config), encode(mark))


def end(config: NodeConfig) -> None:
    """It is a node like all others again."""
    _path(config).unlink(missing_ok=True)


def read(config: NodeConfig) -> Minority | None:
    """The mark, if there is one."""
    try:
        return decode(Minority, _path(config).read_text().encode(), "minority")
    except FileNotFoundError:
        return None
    except ConsulUnavailable:
        return UNREADABLE


def note_update(config: NodeConfig, snapshot: Snapshot) -> None:
    """Write down when the database was updated last, for the time when it runs no more."""
    mark = snapshot.minority
    if mark is not None and snapshot.database.updated_at > mark.updated_at:
        changed = replace(mark, updated_at=snapshot.database.updated_at)
        write_atomically(_path(config), encode(changed), durable=False)
