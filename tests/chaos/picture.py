"""The interruptions of a run as a picture: a row for each kind of fault, a dot for each fault."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

LEFT, ROW, TOP, WIDTH, RIGHT = 190, 22, 44, 560, 30
DETECTED, UNDETECTED, GRID, INK = "#1f77b4", "#ff7f0e", "#dddddd", "#333333"
RADIUS = 4


def of(run: Mapping[str, Any]) -> str:
    """An SVG. Blue: a lease became free meanwhile, so somebody else could lead; orange: it did not."""
    kinds = sorted({each["kind"] for each in run["faults"]})
    took = [each["interruption_s"] or 0.0 for each in run["faults"]]
    most_s = max(2, math.ceil(max(took, default=0.0)))
    height, width = TOP + ROW * len(kinds) + 34, LEFT + WIDTH + RIGHT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif"'
    )
    return "\n".join(
        [
            f'{head} font-size="12" fill="{INK}">',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *_legend(),
            *_grid(most_s, height),
            *_rows(kinds, run, most_s),
            "</svg>\n",
        ]
    )


def _legend() -> Iterator[str]:
    for at, (colour, text) in enumerate(((DETECTED, "the lease became free"), (UNDETECTED, "it did not"))):
        x = LEFT + at * 190
        yield f'<circle cx="{x}" cy="16" r="{RADIUS}" fill="{colour}"/>'
        yield f'<text x="{x + 10}" y="20">{text}</text>'


def _grid(most_s: int, height: int) -> Iterator[str]:
    step = max(1, math.ceil(most_s / 10))
    for second in range(0, most_s + 1, step):
        x = _x(second, most_s)
        yield f'<line x1="{x}" y1="{TOP - 8}" x2="{x}" y2="{height - 28}" stroke="{GRID}"/>'
        yield f'<text x="{x}" y="{height - 12}" text-anchor="middle">{second} s</text>'


def _rows(kinds: list[str], run: Mapping[str, Any], most_s: int) -> Iterator[str]:
    for row, kind in enumerate(kinds):
        y = TOP + ROW * row + ROW // 2
        yield f'<text x="{LEFT - 14}" y="{y + 4}" text-anchor="end">{escape(kind)}</text>'
        for each in run["faults"]:
            if each["kind"] == kind and each["interruption_s"] is not None:
                colour = UNDETECTED if each["detection_s"] is None else DETECTED
                x = _x(each["interruption_s"], most_s)
                yield f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="{colour}" fill-opacity="0.6"/>'


def _x(seconds: float, most_s: int) -> float:
    return round(LEFT + WIDTH * seconds / most_s, 1)
