"""What this node has done about its files, in memory: after a reboot everything is compared anew."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from orchestrator.clients.files import write_atomically
from orchestrator.config import NodeConfig
from orchestrator.model.errors import ClusterError
from orchestrator.model.files import FilesRecord, FilesState


@dataclass(frozen=True, slots=True)
class FilesNote:
    """``*_at_s``: on CLOCK_BOOTTIME, None: not since then. ``told``: the newest missing units in history."""

    mirrored: FilesRecord | None = None
    compared_at_s: float | None = None
    checked_at_s: float | None = None
    swept_at_s: float | None = None
    failed_at_s: float | None = None
    told: tuple[str, ...] = ()


def read(config: NodeConfig) -> FilesNote:
    """The note on file; one that cannot be read is none."""
    try:
        content = json.loads((config.paths.run / "files.json").read_bytes())
        mirrored = content["mirrored"] and FilesRecord(**content["mirrored"])
        return FilesNote(**{**content, "mirrored": mirrored, "told": tuple(content["told"])})
    except (OSError, ValueError, TypeError, KeyError):
        return FilesNote()


def note(config: NodeConfig, **changes: Any) -> None:
    """Remember what has changed; the rest stays."""
    changed = replace(read(config), **changes)
    write_atomically(config.paths.run / "files.json", json.dumps(asdict(changed)), durable=False)


def state(config: NodeConfig, at_s: float) -> FilesState:
    """What the note says at ``at_s``."""
    found = read(config)
    return FilesState(
        found.mirrored,
        _since(found.compared_at_s, at_s),
        _since(found.checked_at_s, at_s),
        _since(found.swept_at_s, at_s),
        _since(found.failed_at_s, at_s),
    )


@contextmanager
def failure_noted(config: NodeConfig, at_s: float) -> Iterator[None]:
    """Remember when the block raised an error, so that it is not tried again at once."""
    try:
        yield
    except (ClusterError, OSError):
        note(config, failed_at_s=at_s)
        raise


def _since(then_s: float | None, at_s: float) -> float:
    return math.inf if then_s is None else max(0.0, at_s - then_s)
