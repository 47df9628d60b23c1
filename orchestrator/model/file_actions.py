"""What a node can do about its replicated files. They are actions like those of ``model.action``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class SyncFiles:
    """Mirror the files of ``leader``. ``compare``: also those that both have, ``by_content`` perhaps."""

    summary: ClassVar[str] = "Mirror the leader's files."
    term: int
    leader: str
    compare: bool = False
    by_content: bool = False


@dataclass(frozen=True, slots=True)
class GatherFiles:
    """A new leader may lack files of its rows that another member has."""

    summary: ClassVar[str] = "Fetch files that rows name from whoever has them, then declare them complete."
    term: int


@dataclass(frozen=True, slots=True)
class SweepFiles:
    """Tidy up after uploads that were killed. ``term``: None on a manager that belongs to no cluster."""

    summary: ClassVar[str] = "Remove files that no row names and no upload is about to."
    term: int | None


FileAction = SyncFiles | GatherFiles | SweepFiles

BESIDE = (SyncFiles, GatherFiles, SweepFiles)
"""These are carried out beside all others, one at a time: they may take long, and nothing waits for them."""
