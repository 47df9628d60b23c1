"""What the options say that many commands have: ``--json``, ``-q``, ``-v``, ``--profile``, ``-t``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(slots=True)
class Settings:
    """How to answer. ``verbosity`` 1 shows requests and debug messages, 2 where an error came from."""

    SHOW_REQUESTS: ClassVar[int] = 1
    SHOW_DEBUG: ClassVar[int] = 1
    SHOW_TRACEBACK: ClassVar[int] = 2

    json: bool = False
    quiet: bool = False
    verbosity: int = 0
    profile: str | None = None
    config_file: str | None = None
    tenant: str | None = None
