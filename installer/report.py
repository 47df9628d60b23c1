"""How the installer tells what it does: one JSON object a line, for the command line to show."""

from __future__ import annotations

import json
import sys
from typing import Any


class InstallError(Exception):
    """Something is not as it has to be. ``hint``: what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def say(message: str) -> None:
    """Tell of a step."""
    _line(say=message)


def done(message: str, **data: Any) -> None:
    """Tell of the end."""
    _line(done=message, data=data)


def failed(error: InstallError) -> None:
    """Tell of an end that was not wanted."""
    _line(error=str(error), hint=error.hint)


def _line(**content: Any) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()
