"""The node that this worker process serves, built once and rebuilt when its membership changes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from orchestrator import wiring
from orchestrator.reconcile import Node
from tasks.app import config


def current_node() -> Node:
    """This machine's node. Connections are kept between tasks; a new membership gives a new node."""
    return _built(_stamp(config.paths.membership_file))


@lru_cache(maxsize=1)
def _built(_: tuple[int, int]) -> Node:
    return wiring.build(config)


def _stamp(path: Path) -> tuple[int, int]:
    """Tells one content of a file that is always replaced as a whole from the next."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)
