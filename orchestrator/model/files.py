"""The replicated files, as the members speak of them: values only."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FilesRecord:
    """What the leader of ``term`` says of its files.

    ``generation`` grows with each change, over all terms. ``complete``: the leader has made sure that it has
    every unit that its rows name, so what it does not have may be deleted elsewhere. ``missing``: how many
    units it looked for in vain.
    """

    term: int
    generation: int
    complete: bool = False
    missing: int = 0


@dataclass(frozen=True, slots=True)
class FilesReport:
    """A replica has everything that the leader of ``term`` had at ``generation``, synced to disk."""

    term: int
    generation: int


@dataclass(frozen=True, slots=True)
class FilesState:
    """What this node has done about its files; durations in seconds.

    ``mirrored``: the record that was mirrored last. ``compared_s``: since everything was compared with the
    leader by size and time, ``checked_s``: by content. ``swept_s``: since the leader looked for orphans.
    ``failed_s``: since the last thing that was tried went wrong.
    """

    mirrored: FilesRecord | None = None
    compared_s: float = math.inf
    checked_s: float = math.inf
    swept_s: float = math.inf
    failed_s: float = math.inf
