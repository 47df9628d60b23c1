"""Files of PostgreSQL settings that are written by us alone: one ``name = 'value'`` in a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.clients.files import write_atomically

_LINE = re.compile(r"([A-Za-z_.]+) = '((?:[^'\\]|''|\\\\)*)'")
_ESCAPED = re.compile(r"''|\\\\")


def format_value(value: str | float | bool) -> str:  # noqa: FBT001 - a setting's value, not a switch
    """One value in the notation of ``postgresql.conf``."""
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def format_settings(settings: Mapping[str, str | int | float | bool]) -> str:
    """Settings in the notation of ``postgresql.conf``."""
    return "".join(f"{name} = {format_value(value)}\n" for name, value in settings.items())


def parse_settings(text: str) -> dict[str, str]:
    """What ``format_settings`` wrote; lines of any other form are skipped."""
    matches = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: _ESCAPED.sub(lambda pair: pair[0][0], match[2]) for match in matches if match}


class SettingsFile:
    """A file of settings that is replaced as a whole, durably."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, str]:
        """The settings; none when there is no file."""
        try:
            return parse_settings(self.path.read_text())
        except FileNotFoundError:
            return {}

    def write(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Replace the file; on disk when this returns."""
        write_atomically(self.path, format_settings(settings), mode=0o644)
