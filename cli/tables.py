"""Tables that fit: the same look for people and for pipes, and for people no wider than their terminal.

A pipe gets everything. In a terminal, columns without any value are left out, long texts are broken, and when
that is not enough, the least important columns (those further right) are left out as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Rows = Sequence[Mapping[str, Any]]
Paint = Callable[[str, str | None], str]

GAP = "  "
LEAST_WORD = 16
"""How narrow a column of names may become."""
LEAST_PROSE = 24
"""How narrow a column of sentences may become; an identifier or a moment is never broken."""

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WORDS = re.compile(r"\S+\s*|\s+")
BREAKS = re.compile(r"(?<=[_.,:=/-])(?=.)")


def text_of(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text_of(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    return str(value)


def plain_table(rows: Rows, columns: Sequence[str]) -> str:
    """A table for pipes: aligned, nothing cut off, two spaces or more between the columns."""
    shown = [_Column.of(rows, column) for column in columns]
    return "\n".join(_lines(shown, len(rows), [column.width for column in shown]))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table for a terminal, and the columns that have values but found no room in it."""

    text: str
    left_out: tuple[str, ...]


def fitted_table(
    rows: Rows, columns: Sequence[str], width: int, paint: Paint = lambda text, _: text
) -> Fitted:
    """A table that is no wider than ``width``, if its first column allows that.

    ``paint`` gets each piece of text and the whole text of its cell; None as the cell: it is a heading.
    """
    all_columns = [_Column.of(rows, column) for column in columns]
    valued = [column for column in all_columns if any(column.cells)] or all_columns[:1]
    shown = _that_fit(valued, width)
    left_out = tuple(column.name for column in valued if column not in shown)
    return Fitted("\n".join(_lines(shown, len(rows), _widths(shown, width), paint)), left_out)


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cells: tuple[str, ...]

    @classmethod
    def of(cls, rows: Rows, name: str) -> _Column:
        return cls(name, tuple(text_of(row.get(name)) for row in rows))

    @property
    def width(self) -> int:
        return max(map(len, (self.name, *self.cells)))

    @property
    def least(self) -> int:
        """How narrow it may become."""
        if any(MOMENT.search(cell) or IDENTIFIER.fullmatch(cell) for cell in self.cells):
            return self.width
        prose = any(len(cell.split()) > 1 for cell in self.cells)
        return max(len(self.name), min(self.width, LEAST_PROSE if prose else LEAST_WORD))


def _that_fit(columns: Sequence[_Column], width: int) -> list[_Column]:
    first, *others = columns
    shown, used = [first], first.width
    for column in others:
        if used + len(GAP) + column.least <= width:
            shown.append(column)
            used += len(GAP) + column.least
    return shown


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """What each gets: what it needs, while there is room; those that need the least are served first."""
    widths = [columns[0].width, *(column.least for column in columns[1:])]
    room = width - sum(widths) - len(GAP) * (len(columns) - 1)
    for index in sorted(range(len(columns)), key=lambda index: columns[index].width - widths[index]):
        more = max(0, min(room, columns[index].width - widths[index]))
        widths[index] += more
        room -= more
    return widths


def _lines(
    columns: Sequence[_Column], count: int, widths: Sequence[int], paint: Paint = lambda text, _: text
) -> list[str]:
    lines = [_line([column.name for column in columns], widths, [None] * len(columns), paint)]
    for row in range(count):
        cells = [column.cells[row] for column in columns]
        broken = [_broken(cell, width) for cell, width in zip(cells, widths, strict=True)]
        for index in range(max(map(len, broken))):
            pieces = [piece[index] if index < len(piece) else "" for piece in broken]
            lines.append(_line(pieces, widths, cells, paint))
    return lines


def _line(pieces: Sequence[str], widths: Sequence[int], cells: Sequence[str | None], paint: Paint) -> str:
    last = max((index for index, piece in enumerate(pieces) if piece), default=0)
    painted = [
        paint(piece, cell) + ("" if index == last else " " * (width - len(piece)))
        for index, (piece, width, cell) in enumerate(zip(pieces, widths, cells, strict=True))
        if index <= last
    ]
    return GAP.join(painted)


def _broken(text: str, width: int) -> list[str]:
    return [line for part in text.splitlines() or [""] for line in _filled(part, width)]


def _filled(text: str, width: int) -> list[str]:
    lines, present = [], ""
    for piece in _pieces(text, width):
        if present and len((present + piece).rstrip()) > width:
            lines.append(present.rstrip())
            present = ""
        present += piece
        while len(present.rstrip()) > width:
            lines.append(present[:width])
            present = present[width:]
    return [*lines, present.rstrip()]


def _pieces(text: str, width: int) -> Iterator[str]:
    """What stays together: words; of one that is too long, its parts, each with the sign behind it."""
    for word in WORDS.findall(text):
        yield from [word] if len(word.rstrip()) <= width else BREAKS.split(word)
