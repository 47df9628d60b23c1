"""Where files are: all on one file system, as they are renamed from one folder to another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """``files``: replicated. ``staging``: what is being prepared, a folder each. ``uploads``: their locks."""

    files: Path
    staging: Path
    uploads: Path

    def make(self) -> None:
        """Make those that are missing. Raises ``OSError``."""
        for folder in (self.files, self.staging, self.uploads):
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
